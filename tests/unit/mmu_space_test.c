/* Address spaces that CR3 comes back to: what is kept of them is what a walk would find now. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mmu/paging.h"
#include "mmu_rig.h"

enum { OTHER_DIRECTORY = 0x14000, OTHER_TABLE = 0x15000, THIRD_DIRECTORY = 0x16000, THIRD_TABLE = 0x17000 };

static void enter(struct rig *rig, uint32_t root)
{
    cpu_write_control(&rig->cpu, 3, root);
}

/* To another address space and back. */
static void leave_and_return(struct rig *rig)
{
    enter(rig, OTHER_DIRECTORY);
    enter(rig, DIRECTORY);
}

/* How many walks `linear` takes. */
static uint64_t walks_of(struct rig *rig, uint64_t linear, enum mmu_access access)
{
    uint64_t before = rig->counters.value[COUNTER_PAGE_WALKS];
    uint64_t value = 0;
    assert_int_equal(rig_try(rig, linear, 4, access, false, &value), NO_FAULT);
    return rig->counters.value[COUNTER_PAGE_WALKS] - before;
}

static void pages_come_back(void **state)
{
    struct rig *rig = *state;
    leave_and_return(rig);
    assert_int_equal(walks_of(rig, LINEAR, MMU_LOAD), 1);
    leave_and_return(rig);
    assert_int_equal(walks_of(rig, LINEAR, MMU_LOAD), 0);
    enter(rig, DIRECTORY);
    assert_int_equal(walks_of(rig, LINEAR, MMU_LOAD), 0);
    assert_int_equal(rig->counters.value[COUNTER_TLB_PAGES_KEPT], 2);
}

static void a_page_that_is_elsewhere_does_not(void **state)
{
    struct rig *rig = *state;
    rig_put32(rig, FRAME_A, 0xa);
    rig_put32(rig, FRAME_B, 0xb);
    leave_and_return(rig);
    assert_int_equal(rig_load(rig, LINEAR, 4), 0xa);
    enter(rig, OTHER_DIRECTORY);
    rig_put32(rig, TABLE, FRAME_B | PWU | A);
    enter(rig, DIRECTORY);
    assert_int_equal(rig_load(rig, LINEAR, 4), 0xb);
    enter(rig, OTHER_DIRECTORY);
    rig_put32(rig, OTHER_TABLE, FRAME_A | PWU);
    rig_put32(rig, DIRECTORY_ENTRY, OTHER_TABLE | PWU | A);
    enter(rig, DIRECTORY);
    assert_int_equal(rig_load(rig, LINEAR, 4), 0xa);
}

static void cleared_bits_are_set_again(void **state)
{
    struct rig *rig = *state;
    leave_and_return(rig);
    rig_store(rig, LINEAR, 4, 1);
    enter(rig, OTHER_DIRECTORY);
    rig_put32(rig, TABLE, FRAME_A | PWU | A);
    enter(rig, DIRECTORY);
    rig_store(rig, LINEAR, 4, 1);
    assert_int_equal(rig_get32(rig, TABLE), FRAME_A | PWU | A | D);
    enter(rig, OTHER_DIRECTORY);
    rig_put32(rig, DIRECTORY_ENTRY, TABLE | PWU);
    enter(rig, DIRECTORY);
    (void)rig_load(rig, LINEAR, 4);
    assert_int_equal(rig_get32(rig, DIRECTORY_ENTRY), TABLE | PWU | A);
}

static void a_clean_page_that_comes_back_is_made_dirty(void **state)
{
    struct rig *rig = *state;
    leave_and_return(rig);
    (void)rig_load(rig, LINEAR, 4);
    leave_and_return(rig);
    rig_store(rig, LINEAR, 4, 1);
    assert_int_equal(rig_get32(rig, TABLE), FRAME_A | PWU | A | D);
}

static void other_rules_make_all_be_forgotten(void **state)
{
    struct rig *rig = *state;
    rig_put32(rig, TABLE, FRAME_A | P);
    leave_and_return(rig);
    rig_store(rig, LINEAR, 4, 1); /* CR0.WP is clear */
    enter(rig, OTHER_DIRECTORY);
    cpu_write_control(&rig->cpu, 0, CR0_PE | CR0_PG | CR0_WP);
    enter(rig, DIRECTORY);
    rig_expect_fault(rig, LINEAR, 4, MMU_STORE, false, CODE_P | CODE_W, LINEAR);
}

static uint64_t fetch_and_leave(struct rig *rig, uint64_t linear)
{
    uint64_t phys = 0;
    assert_int_equal(rig_try(rig, linear, 1, MMU_FETCH, false, &phys), NO_FAULT);
    uint64_t generation = rig->mmu->generation;
    enter(rig, OTHER_DIRECTORY);
    assert_int_not_equal(rig->mmu->generation, generation);
    return generation;
}

static void the_generation_comes_back_with_its_code(void **state)
{
    struct rig *rig = *state;
    leave_and_return(rig);
    uint64_t generation = fetch_and_leave(rig, LINEAR);
    uint64_t phys = 0;
    rig_put32(rig, OTHER_DIRECTORY + (LINEAR >> 22) * 4, OTHER_TABLE | PWU);
    rig_put32(rig, OTHER_TABLE, FRAME_B | PWU);
    assert_int_equal(rig_try(rig, LINEAR, 1, MMU_FETCH, false, &phys), NO_FAULT);
    uint64_t generations = rig->mmu->generations;
    rig->cpu.pending = 0;
    enter(rig, DIRECTORY);
    assert_int_equal(rig->mmu->generation, generation);
    assert_true(rig->mmu->generations > generations);
    assert_true(rig->cpu.pending & CPU_PENDING_ENGINE);
    rig->cpu.memory_ops->flush_page(&rig->cpu, LINEAR + PAGE_SIZE);
    assert_int_equal(rig->mmu->generation, generation);
    rig->cpu.memory_ops->flush_page(&rig->cpu, LINEAR);
    assert_int_not_equal(rig->mmu->generation, generation);
}

static void the_generation_does_not_without_it(void **state)
{
    struct rig *rig = *state;
    leave_and_return(rig);
    uint64_t generation = fetch_and_leave(rig, LINEAR);
    rig_put32(rig, TABLE, FRAME_B | PWU | A);
    enter(rig, DIRECTORY);
    assert_int_not_equal(rig->mmu->generation, generation);
    generation = fetch_and_leave(rig, LINEAR);
    mmu_begin_generation(rig->mmu); /* an engine has dropped code */
    enter(rig, DIRECTORY);
    assert_int_not_equal(rig->mmu->generation, generation);
    generation = fetch_and_leave(rig, LINEAR);
    mmu_flush(rig->mmu);
    enter(rig, DIRECTORY);
    assert_int_not_equal(rig->mmu->generation, generation);
}

/* The TLB, which was not told, had the page where it was before, or with the A bit that is clear now. */
static void the_generation_does_not_with_stale_code(void **state)
{
    struct rig *rig = *state;
    static const uint32_t entries[] = {FRAME_B | PWU | A, FRAME_A | PWU};
    for (unsigned i = 0; i < ARRAY_COUNT(entries); i++) {
        rig_put32(rig, TABLE, FRAME_A | PWU | A);
        leave_and_return(rig);
        (void)rig_load(rig, LINEAR, 4);
        rig_put32(rig, TABLE, entries[i]);
        uint64_t phys = 0;
        assert_int_equal(rig_try(rig, LINEAR, 1, MMU_FETCH, false, &phys), NO_FAULT);
        assert_int_equal(phys, FRAME_A);
        uint64_t generation = fetch_and_leave(rig, LINEAR);
        enter(rig, DIRECTORY);
        assert_int_not_equal(rig->mmu->generation, generation);
    }
}

/* More pages with code than are kept: whether all are where they were is not known. */
static void the_generation_does_not_with_much_code(void **state)
{
    struct rig *rig = *state;
    for (uint32_t page = 0; page < 100; page++) {
        rig_put32(rig, TABLE + 4 * page, (FRAME_A + page * (uint32_t)PAGE_SIZE) | PWU);
    }
    leave_and_return(rig);
    uint64_t phys = 0;
    for (uint32_t page = 1; page < 100; page++) {
        assert_int_equal(rig_try(rig, LINEAR + page * PAGE_SIZE, 1, MMU_FETCH, false, &phys), NO_FAULT);
    }
    uint64_t generation = fetch_and_leave(rig, LINEAR);
    enter(rig, DIRECTORY);
    assert_int_not_equal(rig->mmu->generation, generation);
}

static void other_pointers_are_another_space(void **state)
{
    struct rig *rig = *state;
    leave_and_return(rig);
    assert_int_equal(rig_translate(rig, LINEAR), FRAME_A);
    (void)rig_load(rig, LINEAR, 4);
    enter(rig, OTHER_DIRECTORY);
    rig_put64(rig, OTHER_DIRECTORY + (LINEAR >> 30) * 8, THIRD_DIRECTORY | P);
    rig_put64(rig, THIRD_DIRECTORY, THIRD_TABLE | PWU);
    rig_put64(rig, THIRD_TABLE, FRAME_B | PWU);
    rig_put64(rig, DIRECTORY + (LINEAR >> 30) * 8, THIRD_DIRECTORY | P);
    rig_put32(rig, FRAME_A, 0xa);
    rig_put32(rig, FRAME_B, 0xb);
    enter(rig, DIRECTORY);
    assert_int_equal(rig_load(rig, LINEAR, 4), 0xb);
}

/* A change of CR0.CD reads the pointers, too, and flushes nothing. */
static void pointers_change_without_a_load_of_cr3(void **state)
{
    struct rig *rig = *state;
    uint64_t phys = 0;
    rig_put64(rig, THIRD_DIRECTORY, THIRD_TABLE | PWU);
    rig_put64(rig, THIRD_TABLE, FRAME_B | PWU);
    leave_and_return(rig);
    assert_int_equal(rig_try(rig, LINEAR, 1, MMU_FETCH, false, &phys), NO_FAULT);
    rig_put64(rig, DIRECTORY + (LINEAR >> 30) * 8, THIRD_DIRECTORY | P);
    cpu_write_control(&rig->cpu, 0, CR0_PE | CR0_PG | CR0_CD);
    rig->cpu.memory_ops->flush_page(&rig->cpu, LINEAR);
    assert_int_equal(rig_try(rig, LINEAR, 1, MMU_FETCH, false, &phys), NO_FAULT);
    assert_int_equal(phys, FRAME_B);
    rig_put64(rig, DIRECTORY + (LINEAR >> 30) * 8, PAE_DIRECTORY | P);
    uint64_t generation = fetch_and_leave(rig, LINEAR);
    enter(rig, DIRECTORY);
    assert_int_not_equal(rig->mmu->generation, generation);
}

/* ---- at random */

enum { SPACES_TRIED = 12, PAGES_TRIED = 6, STEPS = 400000 };

static uint32_t next_random(uint32_t *random, uint32_t count)
{
    *random = *random * 1664525 + 1013904223;
    return (*random >> 8) % count;
}

static uint64_t root_of(uint32_t space)
{
    return 0x20000 + space * 2 * PAGE_SIZE;
}

static uint64_t leaf_of(uint32_t space, uint32_t page)
{
    return root_of(space) + PAGE_SIZE + (uint64_t)page * 4;
}

static uint64_t directory_of(uint32_t space)
{
    return root_of(space) + (LINEAR >> 22) * 4;
}

struct fetched {
    uint64_t generation, phys;
};

struct model {
    struct rig *rig;
    uint32_t random, space;
    struct fetched fetched[PAGES_TRIED];
    unsigned resumed;
};

static uint32_t pick(struct model *model, uint32_t count)
{
    return next_random(&model->random, count);
}

static void change_entry(struct model *model)
{
    static const uint32_t rights[] = {PWU, PWU, PWU | A, PWU | A | D, P | A, P | U, 0};
    uint32_t space = pick(model, SPACES_TRIED);
    uint32_t page = pick(model, PAGES_TRIED);
    uint32_t right = rights[pick(model, ARRAY_COUNT(rights))];
    uint32_t frame = FRAME_A + pick(model, 8) * (uint32_t)PAGE_SIZE;
    if (pick(model, 8) != 0) {
        rig_put32(model->rig, leaf_of(space, page), frame | right);
    } else {
        rig_put32(model->rig, directory_of(space), (uint32_t)leaf_of(space, 0) | (right | P));
    }
    for (page = 0; space == model->space && page < PAGES_TRIED; page++) {
        model->rig->cpu.memory_ops->flush_page(&model->rig->cpu, LINEAR + page * PAGE_SIZE);
    }
}

/* What was found out in the generation that has come back is true. */
static void switch_space(struct model *model)
{
    struct rig *rig = model->rig;
    model->space = pick(model, pick(model, 4) == 0 ? SPACES_TRIED : 3);
    enter(rig, (uint32_t)root_of(model->space));
    for (uint32_t page = 0; page < PAGES_TRIED; page++) {
        if (model->fetched[page].generation == rig->mmu->generation) {
            struct paging_result result;
            uint32_t error_code;
            assert_true(paging_walk(rig->mmu, LINEAR + page * PAGE_SIZE, MMU_FETCH, false, false, &result,
                                    &error_code));
            assert_int_equal(result.phys, model->fetched[page].phys);
            assert_true(result.accessed);
            model->resumed++;
        }
    }
}

static void access_page(struct model *model)
{
    struct rig *rig = model->rig;
    uint32_t page = pick(model, PAGES_TRIED);
    uint64_t linear = LINEAR + page * PAGE_SIZE;
    enum mmu_access access = (enum mmu_access)pick(model, 3);
    bool user = pick(model, 2);
    struct paging_result expected = {0};
    uint32_t error_code = 0;
    uint64_t value = 0;
    bool found = paging_walk(rig->mmu, linear, access, user, false, &expected, &error_code);
    rig_put32(rig, expected.phys, model->random);
    int code = rig_try(rig, linear, 4, access, user, &value);
    assert_int_equal(code, found ? NO_FAULT : (int)error_code);
    if (!found) {
        return;
    }
    if (access == MMU_LOAD) {
        assert_int_equal(value, model->random);
    } else if (access == MMU_FETCH) {
        assert_int_equal(value, expected.phys);
        model->fetched[page] = (struct fetched){.generation = rig->mmu->generation, .phys = expected.phys};
    }
    uint32_t bits = A | (access == MMU_STORE ? D : 0);
    assert_int_equal(rig_get32(rig, leaf_of(model->space, page)) & bits, bits);
    assert_true(rig_get32(rig, directory_of(model->space)) & A);
}

static void whatever_changes_accesses_are_as_the_tables_say(void **state)
{
    struct model model = {.rig = *state, .random = 1};
    for (uint32_t space = 0; space < SPACES_TRIED; space++) {
        rig_put32(model.rig, directory_of(space), (uint32_t)leaf_of(space, 0) | PWU);
    }
    cpu_write_control(&model.rig->cpu, 0, CR0_PE | CR0_PG | CR0_WP);
    switch_space(&model);
    for (unsigned step = 0; step < STEPS; step++) {
        switch (pick(&model, 16)) {
        case 0: change_entry(&model); break;
        case 1:
        case 2: switch_space(&model); break;
        default: access_page(&model); break;
        }
    }
    assert_true(model.resumed > 1000);
    assert_true(model.rig->counters.value[COUNTER_TLB_PAGES_KEPT] > 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_PAGING(pages_come_back),
        WITH_PAGING(a_page_that_is_elsewhere_does_not),
        WITH_PAGING(cleared_bits_are_set_again),
        WITH_PAGING(a_clean_page_that_comes_back_is_made_dirty),
        WITH_PAGING(other_rules_make_all_be_forgotten),
        WITH_PAGING(the_generation_comes_back_with_its_code),
        WITH_PAGING(the_generation_does_not_without_it),
        WITH_PAGING(the_generation_does_not_with_much_code),
        WITH_PAGING(the_generation_does_not_with_stale_code),
        WITH_PAE(other_pointers_are_another_space),
        WITH_PAE(pointers_change_without_a_load_of_cr3),
        WITH_PAGING(whatever_changes_accesses_are_as_the_tables_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
