/* Languages that prompts are made in: short common words, the most frequent first, and what sentences are made of.
 *
 * To add one: a row in language.c. Its words should be short: the fewer tokens a word has, the more there are of one token. */
#ifndef ROIBENCH_PLAN_LANGUAGE_H
#define ROIBENCH_PLAN_LANGUAGE_H

#include <stdbool.h>
#include <stddef.h>

#define LANGUAGE_NAMES "en|de|fr|es|zh" /* for option tables */
#define LANGUAGE_DEFAULT "en"

struct language {
    const char *name;         /* ISO 639-1 */
    const char *const *words; /* each with what divides it from the piece before it */
    size_t word_count;
    const char *const *firsts; /* words that begin a sentence, with a capital letter */
    size_t first_count;
    const char *comma, *stop; /* behind a word; NULL: the words have their own */
    bool lines;               /* words are whole lines of several tokens: where a language has no spaces, only line ends keep tokens apart */
};

const struct language *language_find(const char *name); /* NULL: none of that name */

#endif
