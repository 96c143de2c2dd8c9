"""What is held beside what: differences and their controls, fits, exchange rates and costs; nothing drawn, nothing saved."""
