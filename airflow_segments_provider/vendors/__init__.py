"""The vendors' APIs, without Airflow. A vendor does not know another."""
