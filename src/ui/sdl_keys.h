/* SDL's scancodes (USB HID usages, keyboard page 07h) as keys. */
#ifndef DOPPEL_UI_SDL_KEYS_H
#define DOPPEL_UI_SDL_KEYS_H

#include <SDL_scancode.h>

#include "ui/input.h"

/* KEY_NONE for what a PC keyboard does not have. */
enum key sdl_key_from_scancode(SDL_Scancode scancode);

#endif
