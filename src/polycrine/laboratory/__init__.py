"""What a laboratory's plate says of concentrations, and what it would say of simulated ones."""
