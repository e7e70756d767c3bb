"""A decision that ends every process but the one it was made in."""

import os
from dataclasses import dataclass

from relucert.query import Decision


@dataclass(frozen=True)
class Fragile(Decision):
    home: int = 0

    def wrong_outputs(self, label):
        if os.getpid() != self.home:
            os._exit(3)
        return super().wrong_outputs(label)
