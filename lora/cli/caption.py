"""python -m lora caption: drafts captions for a folder of pictures, or reads them from a table."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from lora.cli import flags
from lora.cli.terminal import UsageError, read_text, say

if TYPE_CHECKING:
    from lora.data.metadata import MetadataRow

HELP = "draft captions, or take them from a table"

COLUMNS = {"file_name": ("file_name", "file", "filename", "name"), "text": ("text", "caption", "captions")}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dir", type=Path, help="the pictures; their captions go into its metadata.jsonl")
    ways = parser.add_mutually_exclusive_group(required=True)
    add = ways.add_argument
    add("--emoji", action="store_true", help="draft from emoji in the files' names")
    add("--blip", type=Path, metavar="FOLDER", help="draft with a local copy of BLIP")
    add("--llm_prompt", action="store_true", help="print a prompt for any language model that can see")
    add("--from_table", type=Path, metavar="FILE", help="take captions from its answer: Markdown, CSV or TSV")
    parser.add_argument("--keyword", type=flags.text, default="", help="put into every caption")
    parser.add_argument("--caption_column", default="text")
    parser.add_argument("--all", action="store_true", help="also replace captions that are there already")


def run(args: argparse.Namespace) -> None:
    """Print the prompt, or write the captions and print their number; a changed table is copied first."""
    from lora.data import blip, caption_drafts, imagefolder, metadata
    from lora.data.pictures import PictureError

    args.dir = imagefolder.split(args.dir)
    try:
        rows = metadata.read(args.dir, args.caption_column)
        if not rows:
            raise UsageError(f"{args.dir}: no pictures in it")
        todo = [row for row in rows if args.all or not row.caption]
        if not todo and not args.from_table:
            raise UsageError(f"{args.dir}: every picture has a caption; --all replaces them")
        if args.llm_prompt:
            say(caption_drafts.llm_prompt([row.file_name for row in todo], args.keyword), end="")
            return
        found = _from_table(args, rows) if args.from_table else _drafted(args, todo)
    except (blip.DraftError, PictureError) as error:
        raise UsageError(str(error)) from error
    _write(args, rows, found)


def _drafted(args: argparse.Namespace, rows: list[MetadataRow]) -> dict[str, str]:
    from lora.data import blip, caption_drafts
    from lora.data.pictures import PictureError

    if args.emoji:
        return {row.file_name: draft for row in rows if (draft := caption_drafts.from_name(row.file_name))}
    model = blip.Blip(args.blip)
    found = {}
    for row in rows:
        try:
            found[row.file_name] = model.caption((args.dir / row.file_name).read_bytes())
        except PictureError as error:
            raise UsageError(f"{args.dir / row.file_name}: {error}") from error
        say(f"{row.file_name}: {found[row.file_name]}")
    return {name: draft for name, draft in found.items() if draft}


def _from_table(args: argparse.Namespace, rows: list[MetadataRow]) -> dict[str, str]:
    """Captions by file name. Raises UsageError that names all mistakes in the table."""
    from lora.data import caption_drafts, caption_table

    try:
        found = caption_table.read(read_text(args.from_table), COLUMNS)
    except caption_table.TableError as error:
        raise UsageError(f"{args.from_table}: {error}") from error
    known, captions, mistakes = {row.file_name for row in rows}, {}, []
    for row in found:
        name, text = row["file_name"], row["text"]
        if name not in known:
            mistakes.append(f"{name!r} is not in {args.dir}")
        elif name in captions:
            mistakes.append(f"{name!r} is there twice")
        elif text and (why := caption_drafts.problem(text, args.keyword)):
            mistakes.append(f"{name!r}: {why}")
        captions[name] = text
    if mistakes:
        raise UsageError(f"{args.from_table}: nothing was taken: {'; '.join(mistakes)}")
    return {name: text for name, text in captions.items() if text}


def _write(args: argparse.Namespace, rows: list[MetadataRow], found: dict[str, str]) -> None:
    from lora.data import metadata
    from lora.data.captions import normalise, with_keyword

    if not found:
        raise UsageError("no captions came of that; nothing is changed")
    finished = {
        name: with_keyword(normalise(text), args.keyword) if args.keyword else normalise(text)
        for name, text in found.items()
    }
    new = [row.with_caption(finished.get(row.file_name, row.caption)) for row in rows]
    backup = metadata.write(args.dir, new, args.caption_column)
    missing = [row.file_name for row in new if not row.caption]
    say(f"{len(found)} captions written to {args.dir / metadata.TABLE}")
    if backup:
        say(f"the table as it was: {backup}")
    if missing:
        say(f"still without a caption, and so left out: {', '.join(missing)}")
