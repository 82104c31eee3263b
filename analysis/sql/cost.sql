-- Operations a committed token, the share of them that was in vain, and the perplexity of the text.
SELECT
    trials.label,
    1.0 * sum(generations.verifier_flops + coalesce(generations.drafter_flops, 0)) / sum(generations.committed)
        AS flops_per_committed,
    1.0 * sum(generations.wasted_flops) / sum(generations.verifier_flops + coalesce(generations.drafter_flops, 0))
        AS wasted_flops_share,
    exp(-sum(generations.log_prob_nats) / sum(CASE WHEN generations.log_prob_nats IS NULL THEN 0
        ELSE generations.committed END)) AS perplexity
FROM read_parquet('generations.parquet') AS generations
JOIN read_parquet('trials.parquet') AS trials ON trials.trial_id = generations.trial_id AND trials.mode = 'live'
WHERE generations.repeat = 0 AND generations.error IS NULL AND generations.mode = 'live'
GROUP BY trials.label
ORDER BY flops_per_committed;
