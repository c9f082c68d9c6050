"""Everything a person can change or see, as functions; the command line, the API and the pages are doors to them."""
