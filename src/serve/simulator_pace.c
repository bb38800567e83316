/* vLLM's front end, as far as it decides when something is sent.
 *
 * A front end that needs `frontend_time` a chunk sends one chunk after the other. A stream whose turn has not come is
 * in the line once; the tokens that come meanwhile share its chunk: this is how chunks of several tokens come about under load.
 * An open stream that nothing was written to for `keep_alive` gets a comment. */
#include "serve/simulator_state.h"

#define COMMENT ": keep-alive\n\n"

static int64_t now_of(const struct simulator *simulator)
{
    return clock_now(simulator->settings.clock);
}

/* --- the line --------------------------------------------------------------------------------- */

static void set_turn(struct simulator *simulator)
{
    if (!TAILQ_EMPTY(&simulator->line))
        httpd_timer_set(simulator->line_timer, simulator->turn);
}

static void leave_line(struct generation *generation)
{
    TAILQ_REMOVE(&generation->answer->simulator->line, generation, line);
    generation->in_line = false;
}

/* A stream's last chunk may end the answer; the one behind it in the line is looked up afterwards. */
static void turn_due(void *context)
{
    struct simulator *simulator = context;
    int64_t each = simulator->settings.frontend_time, now = now_of(simulator);
    struct generation *generation;
    while ((generation = TAILQ_FIRST(&simulator->line)) && simulator->turn <= now) {
        leave_line(generation);
        generation->due = simulator->turn;
        simulator->turn += each;
        simulator_deliver(generation);
    }
    simulator_fault_bury(simulator);
    set_turn(simulator);
}

void pace_deliver(struct generation *generation, int64_t now)
{
    struct simulator *simulator = generation->answer->simulator;
    if (simulator->settings.frontend_time == 0) {
        simulator_deliver(generation);
        return;
    }
    if (generation->in_line)
        return;
    bool idle = TAILQ_EMPTY(&simulator->line);
    TAILQ_INSERT_TAIL(&simulator->line, generation, line);
    generation->in_line = true;
    if (!idle)
        return;
    int64_t earliest = now + simulator->settings.frontend_time;
    simulator->turn = simulator->turn > earliest ? simulator->turn : earliest;
    set_turn(simulator);
}

/* --- comments --------------------------------------------------------------------------------- */

static void forget_quiet(struct answer *answer)
{
    if (answer->is_quiet)
        TAILQ_REMOVE(&answer->simulator->quiet, answer, quiet_link);
    answer->is_quiet = false;
}

static void set_comment(struct simulator *simulator)
{
    const struct answer *first = TAILQ_FIRST(&simulator->quiet);
    if (first)
        httpd_timer_set(simulator->comment_timer, first->written + simulator->settings.keep_alive);
}

static void comment_due(void *context)
{
    struct simulator *simulator = context;
    struct answer *answer;
    int64_t now = now_of(simulator);
    while ((answer = TAILQ_FIRST(&simulator->quiet)) && answer->written + simulator->settings.keep_alive <= now) {
        httpd_stream_send(answer->request, COMMENT, sizeof COMMENT - 1);
        pace_written(answer, now);
    }
    set_comment(simulator);
}

/* Every write is later than those before it, so the list is in the order of what is due. */
void pace_written(struct answer *answer, int64_t now)
{
    struct simulator *simulator = answer->simulator;
    if (simulator->settings.keep_alive == 0)
        return;
    bool alone = TAILQ_EMPTY(&simulator->quiet);
    forget_quiet(answer);
    answer->written = now;
    answer->is_quiet = true;
    TAILQ_INSERT_TAIL(&simulator->quiet, answer, quiet_link);
    if (alone)
        set_comment(simulator);
}

/* --- both -------------------------------------------------------------------------------------- */

void pace_forget(struct answer *answer)
{
    forget_quiet(answer);
    for (size_t k = 0; k < answer->count; k++)
        if (answer->generations[k].in_line)
            leave_line(&answer->generations[k]);
}

void pace_init(struct simulator *simulator)
{
    TAILQ_INIT(&simulator->line);
    TAILQ_INIT(&simulator->quiet);
    simulator->line_timer = httpd_timer_new(simulator->httpd, turn_due, simulator);
    simulator->comment_timer = httpd_timer_new(simulator->httpd, comment_due, simulator);
}

void pace_free(struct simulator *simulator)
{
    httpd_timer_free(simulator->line_timer);
    httpd_timer_free(simulator->comment_timer);
    simulator->line_timer = simulator->comment_timer = NULL;
}
