"""Records in, report out; never measures, never fills a gap."""
