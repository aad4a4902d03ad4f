"""What a row of figures is."""
import statistics


def rows(*names):
    """Marks a measuring function with the names of the rows it returns."""
    def mark(function):
        function.names = names
        return function
    return mark


def ratio_row(name, unit, pairs, target, beside=()):
    """pairs: (ours, limit) of each run; the ratio is the median of the runs' ratios."""
    ratio = statistics.median(ours / limit for ours, limit in pairs)
    return {"name": name, "value": round(statistics.median(p[0] for p in pairs), 3), "unit": unit,
            "limit": round(statistics.median(p[1] for p in pairs), 3), "ratio": round(ratio, 3),
            "target": target, "met": meets(ratio, target), "runs": len(pairs),
            "beside": list(beside)}


def value_row(name, unit, values, target, beside=()):
    value = statistics.median(values)
    return {"name": name, "value": round(value, 3), "unit": unit, "limit": None, "ratio": None,
            "target": target, "met": meets(value, target), "runs": len(values),
            "beside": list(beside)}


def meets(value, target):
    """target: ">= 0.75", "<= 0.25", "< 64", "0"."""
    words = target.split()
    if len(words) == 1:
        return value == float(words[0])
    limit = float(words[1])
    return {">=": value >= limit, "<=": value <= limit, "<": value < limit}[words[0]]
