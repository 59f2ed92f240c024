"""What every section of the settings is made of."""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def one_line(text: str) -> str:
    """Return the text; raises ValueError if it holds a line end or another control character."""
    if _CONTROL.search(text):
        raise ValueError("must be one line, without control characters")
    return text


Hours = Annotated[float, Field(gt=0)]
OneLine = Annotated[str, Field(min_length=1), AfterValidator(one_line)]


class SectionSettings(BaseModel):
    """A group of settings that cannot change once it is read."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
