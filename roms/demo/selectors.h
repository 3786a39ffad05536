/*
 * The GDT's selectors, for assembly and C. The table itself is in setup.S.
 */
#ifndef DEMO_SELECTORS_H
#define DEMO_SELECTORS_H

#define SELECTOR_CODE        0x08
#define SELECTOR_DATA        0x10
#define SELECTOR_NOT_PRESENT 0x18

#endif
