#include "stats/shards.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/cleanup.h"

#define LIST_MAX ((size_t)16 << 10)
#define LISTED_MAX 10 /* numbers of shards in one sentence */

/* "shards 1, 4 and 7", "shard 3"; what is too long is cut. */
struct shard_list {
    struct buf numbers;
    size_t count;
    int last;
};

static void list_add(struct shard_list *list, int shard)
{
    if (list->count > 0 && list->count <= LISTED_MAX)
        buf_printf(&list->numbers, "%s%d", list->count > 1 ? ", " : " ", list->last);
    list->last = shard;
    list->count++;
}

static const char *list_text(struct shard_list *list, struct arena *arena)
{
    const char *text = list->count > LISTED_MAX
                           ? arena_printf(arena, "%zu shards, from%s to %d", list->count, buf_text(&list->numbers), list->last)
                       : list->count > 1 ? arena_printf(arena, "shards%s and %d", buf_text(&list->numbers), list->last)
                                         : arena_printf(arena, "shard %d", list->last);
    buf_free(&list->numbers);
    return text;
}

/* ---- clocks ---- */

/* Of the two that are furthest apart, by what each found out against the target. */
static const char *clocks_text(const struct run_data *data, struct arena *arena)
{
    const struct record_part *parts = data->file.parts, *ahead = parts, *behind = parts;
    bool corrected = false;
    for (size_t p = 0; p < data->file.part_count; p++) {
        if (parts[p].clock.error_ns < 0)
            return "what their clocks are apart is not known";
        ahead = parts[p].clock.offset_ns > ahead->clock.offset_ns ? &parts[p] : ahead;
        behind = parts[p].clock.offset_ns < behind->clock.offset_ns ? &parts[p] : behind;
        corrected |= parts[p].clock_shift != 0;
    }
    return arena_printf(arena, "by the target's dates their clocks are at most %.1f ms apart (+/- %.1f ms)%s",
                        (double)(ahead->clock.offset_ns - behind->clock.offset_ns) / 1e6,
                        (double)(ahead->clock.error_ns + behind->clock.error_ns) / 1e6, corrected ? "; times are corrected by it" : "");
}

/* What the kernels say of the clocks. */
static const char *synchronized_text(const struct run_data *data, struct arena *arena)
{
    struct shard_list not_synchronized = {.numbers = BUF_INIT(LIST_MAX)};
    int64_t worst = 0;
    bool known = true;
    for (size_t p = 0; p < data->file.part_count; p++) {
        const struct clock_check *clock = &data->file.parts[p].clock;
        if (clock->synchronized == 0)
            list_add(&not_synchronized, data->file.parts[p].shard);
        known &= clock->synchronized == 1 && clock->max_error_ns >= 0;
        worst = clock->max_error_ns > worst ? clock->max_error_ns : worst;
    }
    if (not_synchronized.count == data->file.part_count)
        return buf_free(&not_synchronized.numbers), "; none of them is synchronized";
    if (not_synchronized.count > 0)
        return arena_printf(arena, "; not synchronized: %s", list_text(&not_synchronized, arena));
    return known ? arena_printf(arena, "; all are synchronized, each off by %.1f ms at most", (double)worst / 1e6) : "";
}

/* ---- notes ---- */

static const char *missing_text(const struct run_data *data, struct arena *arena)
{
    struct shard_list missing = {.numbers = BUF_INIT(LIST_MAX)};
    size_t p = 0;
    for (int shard = 0; shard < data->file.shards; shard++) {
        if (p < data->file.part_count && data->file.parts[p].shard == shard)
            p++;
        else
            list_add(&missing, shard);
    }
    if (missing.count == 0)
        return NULL;
    bool one = missing.count == 1;
    return arena_printf(arena, "%s of %d left no records: %s share of every level is missing", list_text(&missing, arena), data->file.shards,
                        one ? "its" : "their");
}

size_t shards_notes(const struct run_data *data, struct arena *arena, const char *notes[SHARDS_NOTES_MAX])
{
    size_t count = 0;
    if (data->file.shards == 0)
        return 0;
    if (data->file.part_count > 1)
        notes[count++] = arena_printf(arena, "%zu shards carried out this plan together; %s%s", data->file.part_count,
                                      clocks_text(data, arena), synchronized_text(data, arena));
    const char *missing = missing_text(data, arena);
    if (missing)
        notes[count++] = missing;
    if (data->scrapes_shard != NO_SHARD)
        notes[count++] = arena_printf(arena, "the server's metrics are those that shard %d saw", data->scrapes_shard);
    return count;
}

/* ---- validity ---- */

const char *shards_worst(const struct run_data *data, const struct run_level *level, double (*number)(const struct client_health *health),
                         struct arena *arena)
{
    for (size_t p = 0; data->file.shards > 0 && p < data->file.part_count; p++)
        if (number(&level->parts[p].health) >= number(&level->health))
            return arena_printf(arena, " (shard %d)", data->file.parts[p].shard);
    return "";
}

static double seconds_of(int64_t ns)
{
    return (double)ns / 1e9;
}

/* Where one was cut off or stopped, that is why the window is short, and it is said elsewhere. */
static void judge_together(struct level_summary *out, const struct run_level *level, struct arena *arena)
{
    if (level->parts_cut > 0 || run_level_was_stopped(level) || level->longest_window <= 0)
        return;
    if (level->joint_window <= 0)
        level_add_reason(out, VALIDITY_INVALID, "shards apart", "its shards were never at work at the same time");
    else if ((double)level->joint_window < SHARDS_TOGETHER_MIN * (double)level->longest_window)
        level_add_reason(out, VALIDITY_SUSPECT, "shards apart",
                         arena_printf(arena, "its shards measured together for %.3g s of %.3g s", seconds_of(level->joint_window),
                                      seconds_of(level->longest_window)));
}

void shards_judge(struct level_summary *out, const struct run_data *data, const struct run_level *level, struct arena *arena)
{
    int shards = data->file.shards;
    if (shards == 0)
        return;
    if (level->parts_missing > 0)
        level_add_reason(out, VALIDITY_INVALID, "shard missing",
                         arena_printf(arena, "%d of %d shards never came to this level: a part of its load was missing",
                                      level->parts_missing, shards));
    judge_together(out, level, arena);
}
