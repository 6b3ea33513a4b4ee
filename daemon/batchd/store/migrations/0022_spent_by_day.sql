-- What was spent, by day (UTC, as days since 1970), provider and route: of a line a part, a month may have 300,000, and
-- each job that is admitted asks for these sums. Kept by the database itself, so that they cannot differ from the lines.
-- A sum stops at the most that batchd counts.
CREATE TABLE spent_by_day (
    day            INTEGER NOT NULL,
    currency       TEXT NOT NULL,
    provider       TEXT NOT NULL,
    route          TEXT NOT NULL,
    cost           INTEGER NOT NULL,
    PRIMARY KEY (day, currency, provider, route)
) STRICT, WITHOUT ROWID;
INSERT INTO spent_by_day
SELECT CAST(at / 86400 AS INTEGER), currency, provider, route,
       MIN(4611686018427387904,
           MIN(SUM(cost >> 32) + (SUM(cost & 4294967295) >> 32), 1073741824) * 4294967296
           + (SUM(cost & 4294967295) & 4294967295))
FROM spending WHERE cost IS NOT NULL GROUP BY 1, 2, 3, 4;
CREATE TRIGGER spending_by_day AFTER INSERT ON spending WHEN NEW.cost IS NOT NULL
BEGIN
    INSERT INTO spent_by_day (day, currency, provider, route, cost)
    VALUES (CAST(NEW.at / 86400 AS INTEGER), NEW.currency, NEW.provider, NEW.route, NEW.cost)
    ON CONFLICT (day, currency, provider, route) DO UPDATE SET cost = MIN(4611686018427387904, cost + excluded.cost);
END;
CREATE TRIGGER spending_by_day_less AFTER DELETE ON spending WHEN OLD.cost IS NOT NULL
BEGIN
    UPDATE spent_by_day SET cost = cost - OLD.cost
    WHERE (day, currency, provider, route) = (CAST(OLD.at / 86400 AS INTEGER), OLD.currency, OLD.provider, OLD.route);
END;
CREATE TRIGGER spending_by_day_anew AFTER UPDATE ON spending
BEGIN
    UPDATE spent_by_day SET cost = cost - COALESCE(OLD.cost, 0)
    WHERE (day, currency, provider, route) = (CAST(OLD.at / 86400 AS INTEGER), OLD.currency, OLD.provider, OLD.route);
    INSERT INTO spent_by_day (day, currency, provider, route, cost)
    VALUES (CAST(NEW.at / 86400 AS INTEGER), NEW.currency, NEW.provider, NEW.route, COALESCE(NEW.cost, 0))
    ON CONFLICT (day, currency, provider, route) DO UPDATE SET cost = MIN(4611686018427387904, cost + excluded.cost);
END;
