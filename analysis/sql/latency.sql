-- Quantiles of the time of a round, and of a token as its share of the round that committed it.
-- A round that commits nothing adds its time to the next one that does. Needs DuckDB.
WITH steps AS (
    SELECT
        trial_id, prompt, wall_ns, committed,
        coalesce(sum(CASE WHEN committed > 0 THEN 1 ELSE 0 END) OVER (
            PARTITION BY trial_id, prompt ORDER BY round
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ), 0) AS step
    FROM read_parquet('rounds.parquet')
    WHERE wall_ns > 0
),
waits AS (
    SELECT trial_id, sum(wall_ns) AS ns, CAST(sum(committed) AS BIGINT) AS committed
    FROM steps
    GROUP BY trial_id, prompt, step
),
tokens AS (
    SELECT trial_id, 1.0 * ns / committed AS token_ns, unnest(range(committed)) AS place
    FROM waits
    WHERE committed > 0
)
SELECT
    trials.label,
    quantile_cont(tokens.token_ns, 0.5) / 1e6 AS token_p50_ms,
    quantile_cont(tokens.token_ns, 0.9) / 1e6 AS token_p90_ms,
    quantile_cont(tokens.token_ns, 0.99) / 1e6 AS token_p99_ms
FROM tokens
JOIN read_parquet('trials.parquet') AS trials ON trials.trial_id = tokens.trial_id AND trials.mode = 'live'
GROUP BY trials.label
ORDER BY token_p50_ms;

SELECT
    trials.label,
    count(*) AS rounds,
    quantile_cont(rounds.wall_ns, 0.5) / 1e6 AS round_p50_ms,
    quantile_cont(rounds.wall_ns, 0.9) / 1e6 AS round_p90_ms,
    quantile_cont(rounds.wall_ns, 0.99) / 1e6 AS round_p99_ms
FROM read_parquet('rounds.parquet') AS rounds
JOIN read_parquet('trials.parquet') AS trials ON trials.trial_id = rounds.trial_id AND trials.mode = 'live'
WHERE rounds.wall_ns > 0
GROUP BY trials.label
ORDER BY round_p50_ms;
