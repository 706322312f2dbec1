"""AttentionNetwork: a U-Net (Ronneberger et al. 2015) from an image to where people look in it."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.attention.coordinates import CHANNELS, Coordinates
from models.attention.encoders import MEAN, STD, Encoder, double_convolution, make_encoder
from models.attention.options import NetworkOptions, parse_loss

_PRIOR_SIZE = 32
"""The learned prior is coarser than the image by this: it is smooth, and has few weights."""
_WIDEST = 256
_TINY = 1e-6


class AttentionNetwork(nn.Module):
    """Images in, one logit a pixel out; ``density`` makes of them a map that sums to 1.

    Args:
        options: the shape of the network.
        height: H of the images, rows. Where ``options.multiple`` does not divide it, the network works on a canvas with
            a border of mean grey and cuts that off its answer.
        width: W of the images, columns; the same.
        sets: names of the sets of the examples, for priors of their own.
        encoder_weights: as ``TrainOptions.pretrained`` names them.

    Raises:
        WeightsError: the weights cannot be had.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        options: NetworkOptions,
        height: int,
        width: int,
        sets: Sequence[str] = (),
        encoder_weights: str = "none",
    ) -> None:
        super().__init__()
        self.options, self.height, self.width, self.sets = options, height, width, tuple(sets)
        (above, below), (before, after) = (_border(side, options.multiple) for side in (height, width))
        self._border, self._corner = (before, after, above, below), (above, before)
        canvas = (height + above + below, width + before + after)
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1), persistent=False)
        self.coordinates = Coordinates(*canvas, options.coordinates)
        self.encoder = make_encoder(options.encoder, encoder_weights, options.depth, options.width)
        if self.coordinates.more:
            self.encoder.take_more_inputs(self.coordinates.more)
        self.dropout = nn.Dropout2d(options.dropout)
        self.decoder = _Decoder(options, self.encoder, *canvas)
        self.head = nn.Conv2d(self.decoder.channels, 1, 3, padding=1)
        nn.init.zeros_(self.head.weight)  # training begins at the prior
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]
        self.prior = Prior(options.prior, height, width, len(self.sets))

    def forward(self, images: Tensor, sets: Tensor | None = None) -> Tensor:
        """Returns logits, float32 (B, H, W).

        Args:
            images: (B, 3, H, W), RGB, 0..255, of any dtype.
            sets: int64 (B,), index in ``self.sets`` of the set each image is of; None or -1: the shared prior alone.
        """
        prior: Tensor = self.prior(sets)
        return self.evidence(images) + prior

    def evidence(self, images: Tensor) -> Tensor:
        """Returns the logits, float32 (B, H, W), without the prior."""
        x = F.pad((images.float() / 255 - self.mean) / self.std, self._border)  # (B, 3, H', W') of the canvas
        stages = self.encoder(self.coordinates(x))
        if self.training:  # ONNX has no dropout of whole channels, not even one that does nothing
            stages[-1] = self.dropout(stages[-1])
        x = self.head(self.decoder(stages)).float()  # (B, 1, H' / stride, W' / stride)
        if self.options.output_stride > 1:
            x = F.interpolate(x, scale_factor=float(self.options.output_stride), mode="bilinear", align_corners=False)
        above, before = self._corner
        return x[:, 0, above : above + self.height, before : before + self.width]  # (B, H, W)


class Prior(nn.Module):
    """A learned bias of place: logits, coarse and smooth, of every image; and of every set's, as it differs.

    Args:
        kind: "none", "shared" or "per_set".
        height: H of the images.
        width: W of the images.
        sets: number of sets.
    """

    def __init__(self, kind: str, height: int, width: int, sets: int) -> None:
        super().__init__()
        self.size = (height, width)
        coarse = (max(2, height // _PRIOR_SIZE), max(2, width // _PRIOR_SIZE))
        self.shared = nn.Parameter(torch.zeros(1, *coarse)) if kind != "none" else None
        self.own = nn.Parameter(torch.zeros(sets, *coarse)) if kind == "per_set" and sets > 1 else None

    def forward(self, sets: Tensor | None) -> Tensor:
        """Returns logits (1, H, W), or (B, H, W) where ``sets`` int64 (B,) names the sets."""
        if self.shared is None:
            return torch.zeros(())
        coarse: Tensor = self.shared  # (1, h, w)
        if self.own is not None and sets is not None:
            known = (sets >= 0).to(self.own.dtype)[:, None, None]  # (B, 1, 1)
            coarse = coarse + known * self.own[sets.clamp(min=0)]  # (B, h, w)
        return F.interpolate(coarse[:, None], self.size, mode="bicubic", align_corners=False)[:, 0]

    def begin_at(self, mean: Tensor) -> None:
        """Sets the shared prior to the logarithm of a mean density, float32 (H, W) of sum 1."""
        if self.shared is None:
            return
        coarse = F.adaptive_avg_pool2d(mean[None, None], (self.shared.shape[1], self.shared.shape[2]))[0]  # (1, h, w)
        logits = (coarse + coarse.mean() * 0.01).log()
        with torch.no_grad():
            self.shared.copy_(logits - logits.mean())


class _Decoder(nn.Module):
    """From the deepest stage upwards: enlarge, put beside the stage of that size, convolve twice."""

    def __init__(self, options: NetworkOptions, encoder: Encoder, height: int, width: int) -> None:
        super().__init__()
        more = CHANNELS[options.coordinates]
        deepest = encoder.channels[-1]
        self.blocks, self.places = nn.ModuleList(), nn.ModuleList()
        stride = 2**options.depth // 2
        while stride >= options.output_stride:
            beside = 0 if stride == 1 else encoder.channels[stride.bit_length() - 2]
            outputs = min(options.width * stride, _WIDEST)
            self.places.append(Coordinates(height // stride, width // stride, options.coordinates))
            self.blocks.append(double_convolution(deepest + beside + more, outputs))
            deepest, stride = outputs, stride // 2
        self.channels = deepest

    def forward(self, stages: list[Tensor]) -> Tensor:
        """Returns (B, channels, H / output_stride, W / output_stride)."""
        x, rest = stages[-1], stages[-2::-1]
        for index, (place, block) in enumerate(zip(self.places, self.blocks, strict=True)):
            x = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
            if index < len(rest):
                x = torch.cat([x, rest[index]], 1)
            x = block(place(x))
        return x


def _border(side: int, multiple: int) -> tuple[int, int]:
    more = -side % multiple
    return more // 2, more - more // 2


def is_probability(loss: str) -> bool:
    """Whether a network trained with ``loss`` gives each pixel a probability (Dice, BCE), not one density."""
    return bool(parse_loss(loss).keys() & {"dice", "bce"})


def density(logits: Tensor, probability: bool, valid: Tensor | None = None) -> Tensor:
    """Returns maps of sum 1, float32 (B, H, W).

    Args:
        logits: float32 (B, H, W).
        probability: sigmoid and then divided by the sum; else softmax over the pixels.
        valid: bool (B, H, W), the pixels that are image, not letterbox; the others get 0.
    """
    if not probability:
        if valid is not None:
            logits = logits.masked_fill(~valid, -torch.inf)
        return logits.flatten(1).softmax(1).view_as(logits)
    maps = logits.sigmoid()
    if valid is not None:
        maps = maps * valid
    return maps / maps.sum((1, 2), keepdim=True).clamp(min=_TINY)
