-- From version 2 to 3: the orders of a customer are found by their state without reading them all.

DROP INDEX customer_orders;
CREATE INDEX customer_orders ON orders (room, customer, state, position);
