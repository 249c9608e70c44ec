"""Trains the bundled cut-out network: a drawing on any background -> its alpha, for each pixel.

    python -m lora.pretrain.cutout --pictures data/cache/drawings/drawings.safetensors --seconds 200 --out OUT

Drawings with known alpha are put on generated backgrounds, on the device. The network has the input of rembg's
``u2net_custom`` session (320 px, ImageNet mean and standard deviation) and is exported as ONNX.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from lora.pretrain.augment import place, premultiplied

SIDE = 320
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HALF_ERROR = 0.01  # the largest allowed difference in alpha that weights in half precision make


def block(before: int, after: int, stride: int = 1) -> nn.Sequential:
    """Convolution, batch norm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU(inplace=True)
    )


class CutoutNet(nn.Module):
    """A U-Net of 2.7 M parameters. [B, 3, 320, 320] -> logits [B, 1, 320, 320]."""

    WIDTHS = (16, 32, 64, 128, 192, 192)

    def __init__(self) -> None:
        super().__init__()
        widths = self.WIDTHS
        self.stem = block(3, widths[0])
        pairs = list(itertools.pairwise(widths))
        self.down = nn.ModuleList(nn.Sequential(block(a, b, 2), block(b, b)) for a, b in pairs)
        self.up = nn.ModuleList(block(a + b, a) for a, b in reversed(pairs))
        self.head = nn.Conv2d(widths[0], 1, 3, 1, 1)

    def forward(self, images: Tensor) -> Tensor:
        kept = [self.stem(images)]
        for down in self.down:
            kept.append(down(kept[-1]))
        x = kept.pop()
        for up in self.up:
            skip = kept.pop()
            x = up(torch.cat([F.interpolate(x, scale_factor=2.0, mode="bilinear"), skip], dim=1))
        return self.head(x)


class Exported(nn.Module):
    """The network in the ONNX file: it gives alpha in [0, 1] instead of logits."""

    def __init__(self, net: CutoutNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, images: Tensor) -> Tensor:
        return torch.sigmoid(self.net(images))


class Scenes:
    """Random drawings on random backgrounds, made on the device."""

    def __init__(self, pictures: Tensor, seed: int) -> None:
        self.pictures = pictures
        self.device = pictures.device
        self.generator = torch.Generator(self.device).manual_seed(seed)

    def rand(self, *shape: int) -> Tensor:
        return torch.rand(*shape, generator=self.generator, device=self.device)

    def pick(self, count: int) -> Tensor:
        """Premultiplied drawings on a transparent canvas [count, 4, 320, 320]."""
        rows = torch.randint(len(self.pictures), (count,), generator=self.generator, device=self.device)
        margin = (SIDE - self.pictures.shape[-1]) // 2
        return F.pad(premultiplied(self.pictures[rows]), (margin,) * 4)

    def placed(self, count: int) -> Tensor:
        """As ``pick``, but scaled (0.35 to 1.25), moved and mirrored; some are cut a little by the edge."""
        scale = 0.35 + 0.9 * self.rand(count).sqrt()
        room = (SIDE / 256 / scale - 1).clamp_min(0.06)
        shift = (self.rand(count, 2) * 2 - 1) * room[:, None] * 0.9
        return place(self.pick(count), scale, shift, self.rand(count) < 0.5)

    def outlined(self, rgba: Tensor) -> Tensor:
        """With a white outline, as finished stickers have."""
        rim = F.avg_pool2d(F.max_pool2d(rgba[:, 3:], 9, 1, 4), 3, 1, 1)
        alpha = torch.maximum(rim, rgba[:, 3:])
        return torch.cat([rgba[:, :3] + (alpha - rgba[:, 3:]), alpha], dim=1)

    def backgrounds(self, rgba: Tensor) -> Tensor:
        """[B, 3, 320, 320] in [0, 1]: white, flat, close to the drawing's own colour, or one of five textures."""
        count = len(rgba)
        own = rgba[:, :3].sum(dim=(2, 3)) / rgba[:, 3].sum(dim=(1, 2))[:, None].clamp_min(1)
        near = (own + 0.25 * (self.rand(count, 3) - 0.5)).clamp(0, 1)[:, :, None, None]
        kind = self.rand(count)[:, None, None, None]
        background = torch.ones(count, 3, SIDE, SIDE, device=self.device)
        for start, value in (
            (0.22, self.rand(count, 3, 1, 1).expand_as(background)),
            (0.38, near.expand_as(background)),
            (0.45, self.gradients(count)),
            (0.53, self.stripes(count)),
            (0.67, self.noise(count)),
            (0.81, self.patches(count)),
            (0.88, self.clutter(count)),
        ):
            background = torch.where(kind >= start, value, background)
        return background

    def ramps(self, count: int) -> tuple[Tensor, Tensor]:
        """The coordinates along two randomly rotated, perpendicular axes: each [B, 1, 320, 320], about -1.4 to 1.4."""
        line = torch.linspace(-1, 1, SIDE, device=self.device)
        angle = self.rand(count, 1, 1, 1) * 6.2832
        x, y = line[None, None, None, :], line[None, None, :, None]
        return torch.cos(angle) * x + torch.sin(angle) * y, torch.cos(angle) * y - torch.sin(angle) * x

    def gradients(self, count: int) -> Tensor:
        """Linear or radial gradients between two colours."""
        first, second = self.rand(count, 3, 1, 1), self.rand(count, 3, 1, 1)
        along, across = self.ramps(count)
        along, across = along + self.rand(count, 1, 1, 1) - 0.5, across + self.rand(count, 1, 1, 1) - 0.5
        away = (along.square() + across.square()).sqrt() / 1.4
        share = torch.where(self.rand(count, 1, 1, 1) < 0.5, away, (along + 1.4) / 2.8)
        return first + (second - first) * share.clamp(0, 1)

    def stripes(self, count: int) -> Tensor:
        """Stripes or checks of two colours, of any width, most with hard edges."""
        first, second = self.rand(count, 3, 1, 1), self.rand(count, 3, 1, 1)
        waves = 6 * 25 ** self.rand(count, 1, 1, 1)
        along, across = (
            torch.sin(ramp * waves + 6 * self.rand(count, 1, 1, 1)) for ramp in self.ramps(count)
        )
        wave = torch.where(self.rand(count, 1, 1, 1) < 0.4, along * across, along)
        hardness = torch.where(self.rand(count, 1, 1, 1) < 0.8, 40.0, 1.0)
        return first + (second - first) * torch.sigmoid(
            (wave - 0.3 * (self.rand(count, 1, 1, 1) - 0.5)) * hardness
        )

    def noise(self, count: int) -> Tensor:
        """Coloured noise at six scales, each with a random strength, around a random colour."""
        total = self.rand(count, 3, 1, 1).expand(count, 3, SIDE, SIDE)
        for cells in (3, 7, 15, 31, 63, 127):
            strength = 0.5 * self.rand(count, 1, 1, 1)
            cell = self.rand(count, 3, cells, cells) - 0.5
            total = total + strength * F.interpolate(cell, SIDE, mode="bicubic")
        return total.clamp(0, 1)

    def patches(self, count: int) -> Tensor:
        """Flat areas of three colours with irregular borders."""
        fields = F.interpolate(self.rand(count, 3, 8, 8) - 0.5, SIDE, mode="bicubic").argmax(dim=1)
        colours = self.rand(count, 3, 3)
        flat = torch.gather(colours, 2, fields.flatten(1)[:, None].expand(-1, 3, -1))
        return flat.view(count, 3, SIDE, SIDE)

    def clutter(self, count: int) -> Tensor:
        """Other drawings of all sizes over each other, blurred more or less, with uneven brightness and grain."""
        picture = self.gradients(count)
        for _ in range(5):
            scale, shift = 0.25 + 1.2 * self.rand(count), (self.rand(count, 2) * 2 - 1) * 1.6
            thing = place(self.pick(count), scale, shift / scale[:, None], self.rand(count) < 0.5)
            picture = thing[:, :3] + (1 - thing[:, 3:]) * picture
        soft = F.avg_pool2d(F.pad(picture, (5,) * 4, mode="replicate"), 11, 1)
        picture = picture + (soft - picture) * self.rand(count, 1, 1, 1).sqrt()
        light = F.interpolate(self.rand(count, 1, 3, 3), SIDE, mode="bicubic")
        grain = (
            0.04
            * self.rand(count, 1, 1, 1)
            * torch.randn(picture.shape, generator=self.generator, device=self.device)
        )
        return (picture * (0.7 + 0.5 * light) + grain).clamp(0, 1)

    def degraded(self, images: Tensor) -> Tensor:
        """Blurred, with coloured blotches, half of them with grain: the errors of VAEs, cameras and JPEG."""
        small = F.interpolate(images, 256, mode="area")
        soft = F.interpolate(
            F.avg_pool2d(F.pad(small, (1,) * 4, mode="replicate"), 3, 1), SIDE, mode="bilinear"
        )
        mix = self.rand(len(images), 1, 1, 1)
        images = torch.where(mix < 0.6, images + (soft - images) * mix / 0.6, images)
        noise = F.interpolate(self.rand(len(images), 3, 80, 80) - 0.5, SIDE, mode="bilinear")
        images = images + 0.12 * noise * self.rand(len(images), 1, 1, 1)
        # On drawing and background: else the network could tell them apart by the grain.
        grain = torch.randn(images.shape, generator=self.generator, device=self.device)
        strength = 0.03 * (self.rand(len(images), 1, 1, 1) * 2 - 1).clamp_min(0)
        return (images + strength * grain).clamp(0, 1)

    @torch.no_grad()
    def batch(self, count: int) -> tuple[Tensor, Tensor]:
        """Network input [B, 3, 320, 320] and true alpha [B, 1, 320, 320]."""
        rgba = self.placed(count)
        rgba = torch.where((self.rand(count) < 0.15)[:, None, None, None], self.outlined(rgba), rgba)
        images = rgba[:, :3] + (1 - rgba[:, 3:]) * self.backgrounds(rgba)
        return normalised(self.degraded(images)), rgba[:, 3:]


def normalised(images: Tensor) -> Tensor:
    """RGB in [0, 1], normalised as rembg does it: ``(x / max(x) - mean) / std``, with the maximum of each picture."""
    mean = torch.tensor(MEAN, device=images.device)[:, None, None]
    std = torch.tensor(STD, device=images.device)[:, None, None]
    return (images / images.amax(dim=(1, 2, 3), keepdim=True).clamp_min(1e-6) - mean) / std


def loss_of(logits: Tensor, alpha: Tensor) -> Tensor:
    """Cross-entropy, with up to 3 times the weight near edges, plus ``0.5 (1 - soft IoU)``."""
    edge = F.max_pool2d(alpha, 7, 1, 3) + F.max_pool2d(-alpha, 7, 1, 3)
    entropy = (F.binary_cross_entropy_with_logits(logits, alpha, reduction="none") * (1 + 2 * edge)).mean()
    guess = torch.sigmoid(logits)
    both = torch.minimum(guess, alpha).sum(dim=(1, 2, 3))
    either = torch.maximum(guess, alpha).sum(dim=(1, 2, 3)).clamp_min(1)
    return entropy + 0.5 * (1 - both / either).mean()


@torch.no_grad()
def mean_iou(net: nn.Module, pictures: Tensor, seed: int = 1, count: int = 256) -> float:
    """The mean IoU of the masks (alpha over 0.5) over ``count`` random scenes of these drawings."""
    scenes = Scenes(pictures, seed)
    values = []
    for _ in range(0, count, 32):
        images, alpha = scenes.batch(32)
        guess, true = net(images) > 0, alpha > 0.5
        values.append((guess & true).sum(dim=(1, 2, 3)) / (guess | true).sum(dim=(1, 2, 3)).clamp_min(1))
    return torch.cat(values).mean().item()


def train(path: Path, seconds: float, device: torch.device, batch_size: int, out: Path) -> CutoutNet:
    """Train for ``seconds``; returns the averaged (EMA) network in evaluation mode on the CPU."""
    # The drawings, the network, its average.
    torch.manual_seed(0)
    stored = load_file(path, device=str(device))
    pictures, held_out = stored["pictures"], stored["held_out"]
    scenes, unseen = Scenes(pictures[~held_out], 0), pictures[held_out]
    net = CutoutNet().to(device)
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # real, but not in its stubs
    average = torch.optim.swa_utils.AveragedModel(
        net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.998), use_buffers=True
    )
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=1e-2)
    # The steps.
    start = printed = time.monotonic()
    steps = 0
    while (elapsed := time.monotonic() - start) < seconds:
        for group in optimizer.param_groups:
            group["lr"] = 3e-3 * min(1, (steps + 1) / 200) * max(0.01, 1 - elapsed / seconds)
        images, alpha = scenes.batch(batch_size)
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            logits = net(images.contiguous(memory_format=torch.channels_last))
        loss = loss_of(logits.float(), alpha)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        average.update_parameters(net)
        steps += 1
        if time.monotonic() - printed > 20:
            printed = time.monotonic()
            average.eval()
            iou = mean_iou(average, unseen, count=64)
            print(
                f"cutout: {elapsed:.0f} s step {steps} loss {loss.item():.4f} held-out IoU {iou:.4f}",
                flush=True,
            )
    average.eval()
    print(f"cutout: {steps} steps, held-out IoU {mean_iou(average, unseen):.4f}", flush=True)
    trained = average.module.cpu().eval()
    assert isinstance(trained, CutoutNet)
    return trained


def halve(path: Path) -> None:
    """Store the weights of an ONNX file in half precision, with Cast nodes to float32, which run once at loading."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.load(path)
    graph = model.graph
    wide = [
        one for one in graph.initializer if one.data_type == TensorProto.FLOAT and np.prod(one.dims) > 1000
    ]
    for one in wide:
        half = numpy_helper.from_array(numpy_helper.to_array(one).astype(np.float16), f"{one.name}/half")
        graph.initializer.remove(one)
        graph.initializer.append(half)
        graph.node.insert(0, helper.make_node("Cast", [half.name], [one.name], to=TensorProto.FLOAT))
    onnx.checker.check_model(model)
    onnx.save(model, path)


def export(net: CutoutNet, path: Path) -> None:
    """Write the ONNX file with half-precision weights. Raises RuntimeError if onnxruntime and torch differ."""
    import onnxruntime

    sample = torch.randn(1, 3, SIDE, SIDE)
    model = Exported(net).eval()
    torch.onnx.export(
        model, (sample,), path, input_names=["images"], output_names=["alpha"], opset_version=17, dynamo=False
    )
    halve(path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"images": sample.numpy()})
    with torch.no_grad():
        difference = (torch.from_numpy(found) - model(sample)).abs().max().item()
    if difference > HALF_ERROR:
        raise RuntimeError(f"the ONNX file differs from the network by {difference:.2e}")
    print(
        f"cutout: {path} {path.stat().st_size / 1e6:.1f} MB, largest difference {difference:.1e}", flush=True
    )


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m lora.pretrain.cutout", description=__doc__)
    parser.add_argument("--pictures", type=Path, default=Path("data/cache/drawings/drawings.safetensors"))
    parser.add_argument("--seconds", type=float, default=200)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    torch.backends.cudnn.benchmark = True
    net = train(args.pictures, args.seconds, torch.device(args.device), args.batch, args.out)
    save_file({k: v.contiguous() for k, v in net.state_dict().items()}, args.out / "cutout.safetensors")
    export(net, args.out / "cutout.onnx")
    return 0


if __name__ == "__main__":
    sys.exit(main())
