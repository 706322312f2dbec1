"""CoordConv: channels that tell a convolution where it is (Liu et al. 2018, "An intriguing failing of CNNs")."""

import torch
from torch import Tensor, nn

CHANNELS = {"none": 0, "ij": 2, "ijr": 3}
"""Channels by option."""


def coordinate_channels(height: int, width: int, kind: str) -> Tensor:
    """Returns float32 (1, C, H, W): the row i and the column j of each pixel, each from -1 to 1, and the radius.

    i and j are normalised each by its own side. The radius is the distance from the centre in pixels over that of the
    corners, so that on an image that is not square a circle stays a circle.

    Args:
        height: H, rows.
        width: W, columns.
        kind: "none" (C is 0), "ij" or "ijr".
    """
    i = torch.linspace(-1, 1, height) if height > 1 else torch.zeros(1)
    j = torch.linspace(-1, 1, width) if width > 1 else torch.zeros(1)
    rows, columns = i[:, None].expand(height, width), j[None, :].expand(height, width)
    far = max(((height - 1) ** 2 + (width - 1) ** 2) ** 0.5, 1.0)
    radius = ((rows * (height - 1)) ** 2 + (columns * (width - 1)) ** 2).sqrt() / far
    return torch.stack([rows, columns, radius])[None, : CHANNELS[kind]].contiguous()


class Coordinates(nn.Module):
    """Appends coordinate channels to maps of one known size: (B, C, H, W) -> (B, C + more, H, W)."""

    channels: Tensor

    def __init__(self, height: int, width: int, kind: str) -> None:
        super().__init__()
        self.register_buffer("channels", coordinate_channels(height, width, kind), persistent=False)
        self.more = CHANNELS[kind]

    def forward(self, x: Tensor) -> Tensor:
        """Returns x with the coordinates of its pixels."""
        if not self.more:
            return x
        return torch.cat([x, self.channels.to(x.dtype).expand(x.shape[0], -1, -1, -1)], 1)
