from tests.support.browser import browser as browser
from tests.support.browser import chromium as chromium
from tests.support.prometheus import promtool as promtool
