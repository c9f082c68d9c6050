"""One small condition language, used by goals, populations, custom events, exclusions and segments alike."""
