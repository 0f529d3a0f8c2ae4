"""Records entered by hand: one officer, leave, duty, facility, household, building … at a time."""
