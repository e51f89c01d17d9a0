"""How often the diagnosis is right: programs with a planted fault beside their healthy twins, trained and checked."""
