"""When an object is looked at: one worker each, wakes, news from others, back-off."""
