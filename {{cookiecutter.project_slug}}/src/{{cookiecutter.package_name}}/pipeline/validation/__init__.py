"""What validate looks at in the table as a whole, and the record it leaves for the gate."""
