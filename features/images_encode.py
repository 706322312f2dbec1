"""Pixels as files: PNG or JPEG, the same bytes for the same pixels."""

import cv2

from features.images import Pixels
from features.images_headers import BROKEN, ImageError


def encode_image(pixels: Pixels, image_format: str, jpeg_quality: int = 95) -> bytes:
    """Returns an image (H, W, 3), RGB, as a file.

    Args:
        pixels: uint8 (H, W, 3).
        image_format: "png" or "jpeg".
        jpeg_quality: 1 to 100.

    Raises:
        ImageError: it cannot be written as such.
    """
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    if image_format == "png":
        done, encoded = cv2.imencode(".png", bgr, [cv2.IMWRITE_PNG_COMPRESSION, 3])
    else:
        done, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality])
    if not done:
        raise ImageError(BROKEN, f"an image of shape {pixels.shape} cannot be written as {image_format}")
    return encoded.tobytes()
