/* What business programs of the eighties did: records that are assigned and linked, strings that are compared
 * and copied, calls with several parameters through non-inlined procedures, enumerations, small arrays. The
 * kind of work that the Dhrystone benchmark stands for, with code of its own. */
#include "workload.h"

#define ROUNDS     270000u
#define ACCOUNTS   32u
#define NAME_BYTES 32u
#define DAYS       12u

#define PROCEDURE static __attribute__((noinline))

enum kind { DEPOSIT, WITHDRAWAL, TRANSFER, INTEREST, CLOSING };

struct account {
    struct account *partner;
    enum kind last_kind;
    int32_t balance, changes;
    char name[NAME_BYTES];
    int32_t per_day[DAYS];
};

struct totals {
    int32_t refused, closed, best_day;
    char most_recent[NAME_BYTES];
};

static struct account accounts[ACCOUNTS];
static struct totals totals;

PROCEDURE int name_compare(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return *a - *b;
}

PROCEDURE void name_copy(char *to, const char *from)
{
    while ((*to++ = *from++) != '\0') {
    }
}

PROCEDURE void name_make(char *to, uint32_t number)
{
    name_copy(to, "ACCOUNT OF CUSTOMER No. ..");
    to[24] = (char)('0' + number / 10);
    to[25] = (char)('0' + number % 10);
}

PROCEDURE bool is_refused(enum kind kind, int32_t balance, int32_t amount)
{
    return (kind == WITHDRAWAL || kind == TRANSFER) && amount > balance;
}

PROCEDURE void post(struct account *account, enum kind kind, int32_t amount, uint32_t day)
{
    account->balance += amount;
    account->per_day[day] += amount;
    account->last_kind = kind;
    account->changes++;
}

PROCEDURE int32_t best_day(const int32_t *per_day)
{
    uint32_t best = 0;
    for (uint32_t day = 1; day < DAYS; day++) {
        if (per_day[day] > per_day[best]) {
            best = day;
        }
    }
    return (int32_t)best;
}

PROCEDURE void close_account(struct account *account, struct totals *sums)
{
    struct account copy = *account;
    copy.partner->balance += copy.balance;
    copy.balance = 0;
    copy.last_kind = CLOSING;
    sums->best_day += best_day(copy.per_day);
    sums->closed++;
    *account = copy;
}

PROCEDURE void transact(struct account *account, enum kind kind, int32_t amount, uint32_t day,
                        struct totals *sums)
{
    if (is_refused(kind, account->balance, amount)) {
        sums->refused++;
        return;
    }
    switch (kind) {
    case DEPOSIT: post(account, kind, amount, day); break;
    case WITHDRAWAL: post(account, kind, -amount, day); break;
    case TRANSFER:
        post(account, kind, -amount, day);
        post(account->partner, kind, amount, day);
        break;
    case INTEREST: post(account, kind, account->balance / 64, day); break;
    case CLOSING: close_account(account, sums); break;
    }
    if (name_compare(account->name, sums->most_recent) > 0) {
        name_copy(sums->most_recent, account->name);
    } else if (kind == INTEREST) {
        name_copy(sums->most_recent, account->partner->name);
    }
}

uint32_t workload_run(void)
{
    memset(accounts, 0, sizeof accounts);
    memset(&totals, 0, sizeof totals);
    for (uint32_t i = 0; i < ACCOUNTS; i++) {
        accounts[i].partner = &accounts[(i * 7 + 3) % ACCOUNTS];
        accounts[i].balance = 1000;
        name_make(accounts[i].name, i);
    }
    uint32_t random = 31;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        uint32_t value = workload_random(&random);
        enum kind kind = (value & 0xff0) == 0 ? CLOSING : (enum kind)(value >> 4 & 3);
        transact(&accounts[value >> 12 & (ACCOUNTS - 1)], kind, (int32_t)(value >> 20 & 0x1ff), i % DAYS,
                 &totals);
    }
    uint32_t hash = workload_hash(WORKLOAD_HASH_START, (uint32_t)totals.refused);
    hash = workload_hash(hash, (uint32_t)totals.closed);
    hash = workload_hash(hash, (uint32_t)totals.best_day);
    for (uint32_t i = 0; i < ACCOUNTS; i++) {
        hash = workload_hash(hash, (uint32_t)accounts[i].balance);
        hash = workload_hash(hash, (uint32_t)accounts[i].changes);
    }
    return workload_hash(hash, (uint32_t)totals.most_recent[25]);
}
