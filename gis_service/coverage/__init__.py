"""Who is reached in time: standards, the road network, travel time, figures, and the runs."""
