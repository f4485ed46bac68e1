// Runs one script in a heap of given size on an emulated Cortex-M7, and feeds it the network's raw outputs.
//
//     firmware SCRIPT HEAP [HEAP2]     sizes in bytes; a second block makes a split heap, as OpenMV's boards have it
//
// Scripts and modules are files in QEMU's working folder; outputs.bin there has the outputs (see `_frames` below).

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "py/builtin.h"
#include "py/compile.h"
#include "py/gc.h"
#include "py/lexer.h"
#include "py/runtime.h"
#include "py/stackctrl.h"
#include "shared/runtime/gchelper.h"

#define HEAP_BYTES (1024 * 1024)
#define STACK_BYTES (32 * 1024)
#define OUTPUTS (8)
#define OUTPUT_BYTES (32 * 1024)

static uint64_t heap[HEAP_BYTES / 8], heap2[HEAP_BYTES / 8];

// The network's outputs lie outside the heap here: on a camera they are a part of the arena.

typedef struct {
    uint32_t bytes;
    float scale;
    int32_t zero_point;
} output_t;

static struct {
    uint32_t arena;
    output_t outputs[OUTPUTS];
} header;
static int8_t tensors[OUTPUT_BYTES];
static int file = -1;

// (bytes of the arena, scales, zero points) of the network.
static mp_obj_t frames_open(void) {
    file = open("outputs.bin", O_RDONLY);
    if (file < 0 || read(file, &header, sizeof(header)) != sizeof(header)) {
        mp_raise_msg(&mp_type_OSError, MP_ERROR_TEXT("outputs.bin"));
    }
    mp_obj_t scales = mp_obj_new_list(0, NULL), zero_points = mp_obj_new_list(0, NULL);
    for (int i = 0; i < OUTPUTS; i++) {
        mp_obj_list_append(scales, mp_obj_new_float(header.outputs[i].scale));
        mp_obj_list_append(zero_points, mp_obj_new_int(header.outputs[i].zero_point));
    }
    mp_obj_t items[] = {mp_obj_new_int(header.arena), scales, zero_points};
    return mp_obj_new_tuple(3, items);
}
static MP_DEFINE_CONST_FUN_OBJ_0(frames_open_obj, frames_open);

// Load the next frame's outputs; False after the last.
static mp_obj_t frames_next(void) {
    uint32_t bytes = 0;
    for (int i = 0; i < OUTPUTS; i++) {
        bytes += header.outputs[i].bytes;
    }
    return mp_obj_new_bool(bytes <= OUTPUT_BYTES && read(file, tensors, bytes) == (int)bytes);
}
static MP_DEFINE_CONST_FUN_OBJ_0(frames_next_obj, frames_next);

// The outputs as one-dimensional views of int8.
static mp_obj_t frames_views(void) {
    mp_obj_t views[OUTPUTS];
    int8_t *at = tensors;
    for (int i = 0; i < OUTPUTS; i++) {
        views[i] = mp_obj_new_memoryview('b', header.outputs[i].bytes, at);
        at += header.outputs[i].bytes;
    }
    return mp_obj_new_list(OUTPUTS, views);
}
static MP_DEFINE_CONST_FUN_OBJ_0(frames_views_obj, frames_views);

static const mp_rom_map_elem_t frames_globals_table[] = {
    {MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR__frames)},
    {MP_ROM_QSTR(MP_QSTR_open), MP_ROM_PTR(&frames_open_obj)},
    {MP_ROM_QSTR(MP_QSTR_next), MP_ROM_PTR(&frames_next_obj)},
    {MP_ROM_QSTR(MP_QSTR_views), MP_ROM_PTR(&frames_views_obj)},
};
static MP_DEFINE_CONST_DICT(frames_globals, frames_globals_table);
const mp_obj_module_t frames_module = {{&mp_type_module}, (mp_obj_dict_t *)&frames_globals};
MP_REGISTER_MODULE(MP_QSTR__frames, frames_module);

static int run(const char *script) {
    nlr_buf_t nlr;
    if (nlr_push(&nlr) == 0) {
        mp_lexer_t *lexer = mp_lexer_new_from_file(qstr_from_str(script));
        qstr name = lexer->source_name;
        mp_parse_tree_t tree = mp_parse(lexer, MP_PARSE_FILE_INPUT);
        mp_call_function_0(mp_compile(&tree, name, false));
        nlr_pop();
    } else if (!mp_obj_is_subclass_fast(mp_obj_get_type(nlr.ret_val), &mp_type_SystemExit)) {
        mp_obj_print_exception(&mp_plat_print, MP_OBJ_FROM_PTR(nlr.ret_val));
        return 1;
    }
    return 0;
}

int main(int argc, char **argv) {
    mp_stack_ctrl_init();
    mp_stack_set_limit(STACK_BYTES);
    size_t bytes = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
    size_t bytes2 = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;
    if (!bytes || bytes > sizeof(heap) || bytes2 > sizeof(heap2)) {
        printf("usage: firmware SCRIPT HEAP [HEAP2], at most %d bytes each\n", HEAP_BYTES);
        return 2;
    }
    gc_init(heap, (char *)heap + bytes);
    if (bytes2) {
        gc_add(heap2, (char *)heap2 + bytes2);
    }
    mp_init();
    return run(argv[1]);
}

void gc_collect(void) {
    gc_collect_start();
    gc_helper_collect_regs_and_stack();
    gc_collect_end();
}

void nlr_jump_fail(void *value) {
    (void)value;
    puts("uncaught NLR");
    exit(1);
}

mp_import_stat_t mp_import_stat(const char *path) {
    int found = open(path, O_RDONLY);
    if (found < 0) {
        return MP_IMPORT_STAT_NO_EXIST;
    }
    close(found);
    return MP_IMPORT_STAT_FILE;
}

mp_uint_t mp_hal_stdout_tx_strn(const char *text, size_t length) {
    return write(1, text, length);
}

// What the processor starts with.

extern uint32_t __stack, __data_load, __data_start, __data_end;
void _start(void); // newlib's: clears .bss, opens the console, calls main() with the arguments

__attribute__((naked)) void reset(void) {
    __asm volatile ("ldr sp, =__stack");
    *(volatile uint32_t *)0xE000ED88 |= 0xF << 20; // CPACR: switch the floating-point unit on
    __asm volatile ("dsb\n isb");
    for (uint32_t *from = &__data_load, *to = &__data_start; to < &__data_end;) {
        *to++ = *from++;
    }
    _start();
}

static void fault(void) {
    puts("fault");
    _exit(3);
}

__attribute__((section(".vectors"), used)) static const void *const vectors[16] = {
    &__stack, reset, fault, fault, fault, fault, fault,
};
