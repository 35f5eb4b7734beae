"""Power distribution units, read and switched over SNMP."""
