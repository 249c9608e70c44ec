"""Sets of icons of one colour that are trained on too, coloured by a program, and which of their icons are left out.

An icon is used if its name is an emoji's, so that its subject has drawings in other sets.
"""

from __future__ import annotations

# style name in captions -> (npm package, version, licence, how the names of the icons that are used end)
ICONS = {
    "game icons": ("@iconify-json/game-icons", "1.2.4", "CC-BY-3.0", ""),
    "phosphor": ("@iconify-json/ph", "1.2.2", "MIT", "-duotone"),
    "solar": ("@iconify-json/solar", "1.2.13", "CC-BY-4.0", "-bold-duotone"),
    "health icons": ("@iconify-json/healthicons", "1.2.13", "MIT", ""),
    "material symbols": ("@iconify-json/material-symbols", "1.2.98", "Apache-2.0", ""),
}
# Their icons show something else than the emoji of that name: a computer's mouse, a memory chip, a letter.
WRONG = {
    "game icons": frozenset({"hole", "person-in-bed", "ram", "ribbon", "satellite", "star-struck"}),
    "phosphor": frozenset({"cricket", "mouse", "seal", "seat"}),
    "solar": frozenset({"fog", "mouse", "satellite", "station"}),
    "health icons": frozenset({"construction", "ribbon"}),
    "material symbols": frozenset({
        "artist", "bubbles", "camera", "candle", "construction", "label", "metro", "mouse", "package", "satellite",
        "school", "soap",
    }),
}  # fmt: skip
