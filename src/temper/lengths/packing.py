"""Several sentences in one row of tokens: what a package does itself (temper/package/runtime/packing.py), by its name here."""

from temper.package.runtime.packing import ATTENTION_MASK as ATTENTION_MASK
from temper.package.runtime.packing import FIRST_TOKENS as FIRST_TOKENS
from temper.package.runtime.packing import POSITION_IDS as POSITION_IDS
from temper.package.runtime.packing import SEGMENT_IDS as SEGMENT_IDS
from temper.package.runtime.packing import Placement as Placement
from temper.package.runtime.packing import pack as pack
from temper.package.runtime.packing import place as place
from temper.package.runtime.packing_compiled import Packer as Packer
