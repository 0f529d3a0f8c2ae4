"""Asking the memory for what compiled code will need soon, so that it need not wait for it.

No answer depends on it: a row that is fetched and not used costs a moment, no more. It stays
because it buys 27 % of the row "10 × streets and households" of the bench of coverage, whose
streets no cache of the processor holds.
"""

from collections.abc import Callable
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

_NUMBER: Final = ir.IntType(32)
_TO_READ_AND_KEEP: Final = (0, 3, 1)
"""The processor's words for it: no writing, as near as can be, data and not code."""


def _fetch(_typing: Any, array: Any, row: Any) -> Any:
    def code(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        struct = context.make_array(array)(context, builder, values[0])
        at = [context.cast(builder, values[1], row, types.intp)]
        at += [context.get_constant(types.intp, 0)] * (array.ndim - 1)
        place = cgutils.get_item_pointer(  # type: ignore[no-untyped-call]
            context, builder, array, struct, at
        )
        place = builder.bitcast(place, cgutils.voidptr_t)
        kind = ir.FunctionType(ir.VoidType(), [place.type, *[_NUMBER] * 3])
        call = builder.module.declare_intrinsic("llvm.prefetch", [place.type], kind)
        builder.call(call, [place, *(ir.Constant(_NUMBER, word) for word in _TO_READ_AND_KEEP)])
        return context.get_dummy_value()

    return types.void(array, row), code


fetch: Final = cast("Callable[[npt.NDArray[Any], int | np.integer[Any]], None]", intrinsic(_fetch))
"""Begin to bring a row of an array near; in compiled code only."""
