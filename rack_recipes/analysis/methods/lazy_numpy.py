# SPDX-License-Identifier: GPL-3.0-or-later

# ruff: noqa: A004 -- these names are numpy's

"""numpy's names, such as `np.median`. numpy is imported when the first of them is used.

So this collection can be imported without numpy, for example to check it, and the import waits until it is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy import (
        abs,
        add,
        arange,
        argmax,
        argsort,
        array,
        asarray,
        bincount,
        bool_,
        broadcast_to,
        clip,
        concatenate,
        cumsum,
        delete,
        diff,
        einsum,
        empty_like,
        errstate,
        finfo,
        flatnonzero,
        float64,
        fromiter,
        full,
        inf,
        int64,
        intp,
        isfinite,
        lexsort,
        lib,
        max,
        maximum,
        median,
        minimum,
        nan,
        nanmax,
        nanmedian,
        newaxis,
        polyfit,
        ptp,
        random,
        round,
        sign,
        sort,
        split,
        sqrt,
        std,
        triu,
        triu_indices,
        unique,
        where,
        zeros,
    )
else:

    def __getattr__(name: str) -> Any:
        """Python calls this for a name that is not in the module yet; from then on it is."""
        if name not in __all__:
            raise AttributeError(name)
        import numpy as np

        return globals().setdefault(name, getattr(np, name))


__all__ = (
    "abs",
    "add",
    "arange",
    "argmax",
    "argsort",
    "array",
    "asarray",
    "bincount",
    "bool_",
    "broadcast_to",
    "clip",
    "concatenate",
    "cumsum",
    "delete",
    "diff",
    "einsum",
    "empty_like",
    "errstate",
    "finfo",
    "flatnonzero",
    "float64",
    "fromiter",
    "full",
    "inf",
    "int64",
    "intp",
    "isfinite",
    "lexsort",
    "lib",
    "max",
    "maximum",
    "median",
    "minimum",
    "nan",
    "nanmax",
    "nanmedian",
    "newaxis",
    "polyfit",
    "ptp",
    "random",
    "round",
    "sign",
    "sort",
    "split",
    "sqrt",
    "std",
    "triu",
    "triu_indices",
    "unique",
    "where",
    "zeros",
)
