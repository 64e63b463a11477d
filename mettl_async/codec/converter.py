"""The one cattrs converter of the process; `reading` and `writing` teach it."""

from cattrs import Converter

converter = Converter(detailed_validation=False)
