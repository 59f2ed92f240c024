"""The page Back office in a browser: each of its acts, with a ticket system behind it."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Browser

from tests.system.console.browser import ConsolePage
from tests.system.installation import Installation
from tests.upgraded import upgrade

pytestmark = pytest.mark.slow
