/*
 * Run the sketch on a simulated ATmega328P.
 *
 *   simulate blip.elf < edges > bytes
 *
 * Each line of standard input is an edge, "<microseconds> <input> <level>", in the order of
 * time; "<microseconds> end" ends the run. What the serial line sends goes to standard
 * output, "<microseconds> <byte>" in each line.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <simavr/avr_ioport.h>
#include <simavr/avr_uart.h>
#include <simavr/sim_avr.h>
#include <simavr/sim_elf.h>

#define CYCLES_PER_US 16

static avr_t *avr;

static void print_byte(struct avr_irq_t *irq, uint32_t value, void *param) {
  (void)irq;
  (void)param;
  printf("%" PRIu64 " %u\n", (uint64_t)(avr->cycle / CYCLES_PER_US), (unsigned)value);
}

/* Simulated sleep takes no time of ours. */
static void no_sleep(avr_t *it, avr_cycle_count_t cycles) {
  (void)it;
  (void)cycles;
}

static void no_log(avr_t *it, const int level, const char *format, va_list arguments) {
  (void)it;
  if (level <= LOG_ERROR) vfprintf(stderr, format, arguments);
}

static int run_until(uint64_t us) {
  while (avr->cycle < us * CYCLES_PER_US) {
    const int state = avr_run(avr);
    if (state == cpu_Done || state == cpu_Crashed) return 0;
  }
  return 1;
}

int main(int argc, char **argv) {
  elf_firmware_t firmware;
  memset(&firmware, 0, sizeof firmware);
  avr_global_logger_set(no_log);
  if (argc != 2 || elf_read_firmware(argv[1], &firmware)) return 2;
  avr = avr_make_mcu_by_name("atmega328p");
  if (!avr) return 2;
  avr_init(avr);
  avr->frequency = CYCLES_PER_US * 1000000;
  avr->sleep = no_sleep;
  avr_load_firmware(avr, &firmware);

  uint32_t flags = 0;
  avr_ioctl(avr, AVR_IOCTL_UART_GET_FLAGS('0'), &flags);
  flags &= ~AVR_UART_FLAG_STDIO;
  avr_ioctl(avr, AVR_IOCTL_UART_SET_FLAGS('0'), &flags);
  avr_irq_register_notify(avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_OUTPUT),
                          print_byte, NULL);

  char line[64];
  while (fgets(line, sizeof line, stdin)) {
    uint64_t us;
    int input, level;
    const int fields = sscanf(line, "%" SCNu64 " %d %d", &us, &input, &level);
    if (fields < 1 || !run_until(us)) return 1;
    if (fields < 3) return 0;
    avr_raise_irq(avr_io_getirq(avr, AVR_IOCTL_IOPORT_GETIRQ('D'), input), level);
  }
  return 1;
}
