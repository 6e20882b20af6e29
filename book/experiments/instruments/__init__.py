"""Models and measurements that only experiments need."""
