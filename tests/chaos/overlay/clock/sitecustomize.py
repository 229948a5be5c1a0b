"""On PYTHONPATH: a process whose clock is wrong by CLOCK_SKEW_SECONDS, for those who ask Python for the time."""

import copyreg
import datetime
import os
import time
from typing import Any

SKEW = float(os.environ.get("CLOCK_SKEW_SECONDS", "0"))
_time, _time_ns, _gmtime, _localtime = time.time, time.time_ns, time.gmtime, time.localtime
_Datetime = datetime.datetime


class _AnyDatetime(type):
    """What C code makes are datetimes too."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _Datetime)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, _Datetime)


class _SkewedDatetime(_Datetime, metaclass=_AnyDatetime):
    # As large as the original: extensions check it.
    __slots__ = ()

    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> Any:
        return _Datetime.fromtimestamp(time.time(), tz)

    @classmethod
    def utcnow(cls) -> Any:
        return _Datetime.fromtimestamp(time.time(), datetime.UTC).replace(tzinfo=None)


# Libraries find a type by its name.
_SkewedDatetime.__name__ = _SkewedDatetime.__qualname__ = "datetime"
_SkewedDatetime.__module__ = "datetime"
# What C code makes is not found under its name any more.
copyreg.pickle(_Datetime, lambda value: (_SkewedDatetime, value.__reduce__()[1]))

time.time = lambda: _time() + SKEW
time.time_ns = lambda: _time_ns() + int(SKEW * 1e9)
time.gmtime = lambda seconds=None: _gmtime(time.time() if seconds is None else seconds)
time.localtime = lambda seconds=None: _localtime(time.time() if seconds is None else seconds)
datetime.datetime = _SkewedDatetime
