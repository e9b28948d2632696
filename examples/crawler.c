/*
 * A crawler: each page that is fetched starts a task for each of its links, no more than four are
 * fetched at a time, and one deadline stands over it all. The web is a small one, in memory, one of
 * whose pages never answers; and the clock is virtual, so that waiting for that takes no time.
 */
#include <aloop.h>
#include <stdio.h>

enum { PAGES = 31, DEAF = 6, AT_A_TIME = 4 };

struct crawl {
    aloop_group group;
    aloop_limiter limiter;
    bool seen[PAGES];
    int fetched, fetching, most;
};

/* Takes a while. */
struct fetch {
    ALOOP_FRAME;
    int page;
};

ALOOP_CORO(fetch)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_sleep(self->page == DEAF ? ALOOP_NEVER : ALOOP_MS(20 + 7 * (self->page % 5))));
    ALOOP_END;
}

struct visit {
    ALOOP_FRAME;
    struct crawl *crawl;
    int page;
    int i, link;
    aloop_hold token;
};

ALOOP_CORO(visit)
{
    ALOOP_BEGIN;
    ALOOP_TRY(aloop_limiter_acquire(&self->crawl->limiter, &self->token));
    if (++self->crawl->fetching > self->crawl->most)
        self->crawl->most = self->crawl->fetching;
    ALOOP_AWAIT(aloop_wait_for(aloop_call(fetch, .page = self->page), ALOOP_SEC(60)));
    self->crawl->fetching--;
    if (self->result < 0)
        ALOOP_RETURN(self->result);
    aloop_hold_release(&self->token);
    self->crawl->fetched++;
    /* Two links, and one back to the start. */
    for (self->i = 0; self->i <= 2; self->i++) {
        self->link = self->i < 2 ? 2 * self->page + 1 + self->i : 0;
        if (self->link >= PAGES || self->crawl->seen[self->link])
            continue;
        self->crawl->seen[self->link] = true;
        ALOOP_TRY(aloop_group_start(&self->crawl->group, visit, .crawl = self->crawl,
                                    .page = self->link));
    }
    ALOOP_END;
}

struct crawl_all {
    ALOOP_FRAME;
    struct crawl crawl;
};

ALOOP_CORO(crawl_all)
{
    ALOOP_BEGIN;
    aloop_limiter_init(&self->crawl.limiter, AT_A_TIME);
    aloop_group_init(&self->crawl.group);
    self->crawl.seen[0] = true;
    ALOOP_TRY(aloop_group_start(&self->crawl.group, visit, .crawl = &self->crawl, .page = 0));
    ALOOP_TRY(aloop_group_wait(&self->crawl.group));
    ALOOP_FINALLY;
    /* However it ended, all that it started has ended. */
    printf("%d pages, at most %d at a time\n", self->crawl.fetched, self->crawl.most);
    ALOOP_END;
}

struct main_task {
    ALOOP_FRAME;
};

ALOOP_CORO(main_task)
{
    ALOOP_BEGIN;
    ALOOP_AWAIT(aloop_wait_for(aloop_call(crawl_all), ALOOP_SEC(5)));
    printf("the crawl: %s\n", aloop_strerror(self->result));
    ALOOP_END;
}

int main(void)
{
    aloop_options options = ALOOP_OPTIONS_INIT;
    aloop *loop;
    int64_t result;

    options.clock = ALOOP_CLOCK_VIRTUAL;
    if (aloop_new(&options, &loop) < 0)
        return 1;
    result = aloop_run_in(loop, main_task);
    aloop_unref(loop);
    return result == 0 ? 0 : 1;
}
