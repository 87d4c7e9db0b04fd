from tests.support.browser import browser as browser
from tests.support.browser import chromium as chromium
