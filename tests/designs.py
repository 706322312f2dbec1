"""Pictures for tests of pages about images: the page of a shop, in an older and a newer design."""

import cv2
import numpy as np

from features.images import Pixels
from features.images_encode import encode_image

SIZE = (1000, 640)
OFFER = (560, 200, 360, 190)
"""x, y, width and height of the offer in the newer design, in pixels."""


def design(newer: bool = False) -> bytes:
    """Returns a PNG file: a head, three products, and an offer that is bright in the newer design."""
    width, height = SIZE
    page: Pixels = np.full((height, width, 3), (38, 42, 52), np.uint8)
    cv2.rectangle(page, (0, 0), (width, 64), (22, 24, 30), -1)
    cv2.putText(page, "North Shoes", (36, 42), cv2.FONT_HERSHEY_SIMPLEX, 0.9, (200, 204, 212), 2, cv2.LINE_AA)
    cv2.putText(page, "Walk further.", (60, 190), cv2.FONT_HERSHEY_SIMPLEX, 1.6, (170, 176, 190), 3, cv2.LINE_AA)
    for place in range(3):
        left = 60 + place * 310
        cv2.rectangle(page, (left, 430), (left + 260, 590), (66, 72, 86), -1)
        cv2.ellipse(page, (left + 130, 520), (80, 34), 0, 0, 360, (120, 110, 96), -1)
    x, y, wide, tall = OFFER
    if newer:
        cv2.rectangle(page, (x, y), (x + wide, y + tall), (252, 250, 240), -1)
        cv2.putText(
            page, "-30 % today", (x + 50, y + 108), cv2.FONT_HERSHEY_SIMPLEX, 1.3, (180, 60, 20), 3, cv2.LINE_AA
        )
    else:
        cv2.rectangle(page, (60, 250), (300, 310), (240, 236, 220), -1)
    return encode_image(page, "png")
