"""How this process writes its log: every traceback without values, whichever library logs it."""

import logging
from typing import Any


def keep_values_out_of_logs() -> None:
    """Write of an error that is logged where it came from, not the words that may hold values."""
    make = logging.getLogRecordFactory()

    def record(*args: Any, **kwargs: Any) -> logging.LogRecord:
        log_record = make(*args, **kwargs)
        if log_record.exc_info and log_record.exc_info[1] is not None:
            # A command that logs no error need not wait until the drivers are read.
            from gis_service.store.failures import traceback_without_values  # noqa: PLC0415

            log_record.exc_text = traceback_without_values(log_record.exc_info[1])
        return log_record

    logging.setLogRecordFactory(record)
