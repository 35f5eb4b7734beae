/*
 * Blip meter: counts the blips of up to six energy meters, by an Arduino Uno or Nano.
 *
 * Wiring: the meter's S0 output, a phototransistor or a reed contact between the input
 * (D2 to D7) and GND. The internal pull-up holds the input high, a blip pulls it low.
 *
 * Lines on the serial port, for the line format "counted":
 *   CONNECTED blip 1                 after power-on; 1 is the version of these lines
 *   INFO <id> <name>                 once for each meter, escapes as \hh
 *   <id> <ms> <count>                each blip: milliseconds since the one before, and
 *                                    how many this meter has had since power-on (both
 *                                    32 bit, so that a lost line loses nothing)
 *
 * It speaks to the registers of an ATmega328P and needs no library: the Arduino IDE takes
 * it as it is, and so does avr-gcc (make in this directory).
 */

#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/pgmspace.h>
#include <avr/sleep.h>
#include <stdint.h>
#include <stdlib.h>

/* ------------------------------------------------------------------ Settings */

/* One line for each meter: its input and its name. The first is meter 1. */
#ifndef METERS
#define METERS {2, "Power meter"},
#endif

/* 8 data bits, no parity, 1 stop bit. */
#ifndef BAUD
#define BAUD 9600
#endif

/*
 * How long an input has to keep its level until it is believed. S0 pulses and pauses take
 * 30 ms and more, the shortest flash of a meter's LED 10 ms; contacts bounce for 1 to 4 ms.
 */
#ifndef DEBOUNCE_MS
#define DEBOUNCE_MS 5
#endif

/* ---------------------------------------------------------------- Definitions */

#ifndef F_CPU
#define F_CPU 16000000UL
#endif
#include <util/setbaud.h>

struct Meter {
  uint8_t input;
  char name[30];
};

struct Blip {
  uint8_t id;
  uint32_t ms;
  uint32_t count;
};

struct Debouncer {
  bool active;     /* the level that is believed */
  uint8_t steady;  /* for how many ms the other level has been seen */
  uint32_t edge;   /* when the input last changed */
  uint32_t last;   /* when the last blip began */
  uint32_t count;
};

static const Meter METER[] PROGMEM = {METERS};
static const uint8_t METER_COUNT = sizeof(METER) / sizeof(METER[0]);

/* What waits for the serial line; a power of two. */
static const uint8_t QUEUE_LENGTH = 32;

static uint8_t mask[METER_COUNT];
static Debouncer meter[METER_COUNT];
static uint32_t now;  /* ms since power-on */
static uint8_t levels;

static Blip queue[QUEUE_LENGTH];
static volatile uint8_t queue_head;
static volatile uint8_t queue_tail;

/* ----------------------------------------------------------------- Interrupts */

/* Note a blip that began at the meter's last edge. */
static void blip(uint8_t index) {
  Debouncer &it = meter[index];
  const uint32_t ms = it.edge - it.last;
  it.last = it.edge;
  it.count++;
  const uint8_t next = (queue_head + 1) % QUEUE_LENGTH;
  /* A full queue drops the line, not the blip: the next line's count tells of it. */
  if (next == queue_tail) return;
  queue[queue_head].id = index + 1;
  queue[queue_head].ms = ms;
  queue[queue_head].count = it.count;
  queue_head = next;
}

/* An input has changed: remember when. */
ISR(PCINT2_vect) {
  const uint8_t seen = PIND;
  const uint8_t changed = seen ^ levels;
  levels = seen;
  for (uint8_t i = 0; i < METER_COUNT; i++) {
    if (changed & mask[i]) {
      meter[i].edge = now;
      meter[i].steady = 0;
    }
  }
}

/* Each millisecond: believe a level that has stood long enough. */
ISR(TIMER1_COMPA_vect) {
  now++;
  for (uint8_t i = 0; i < METER_COUNT; i++) {
    Debouncer &it = meter[i];
    const bool active = !(levels & mask[i]);
    if (active == it.active) {
      it.steady = 0;
    } else if (++it.steady >= DEBOUNCE_MS) {
      it.active = active;
      it.steady = 0;
      if (active) blip(i);
    }
  }
}

/* ---------------------------------------------------------------- Serial line */

static void send(char byte) {
  while (!(UCSR0A & _BV(UDRE0))) {
  }
  UDR0 = byte;
}

static void send_text(const char *text) {
  while (*text) send(*text++);
}

static void send_number(uint32_t number, char end) {
  char digits[11];
  send_text(ultoa(number, digits, 10));
  send(end);
}

/* Send a name; what is not printable ASCII as \hh. */
static void send_name(const char *name) {
  static const char HEX[] PROGMEM = "0123456789abcdef";
  for (uint8_t byte; (byte = pgm_read_byte(name)); name++) {
    if (byte >= ' ' && byte <= '~' && byte != '\\') {
      send(byte);
    } else {
      send('\\');
      send(pgm_read_byte(&HEX[byte >> 4]));
      send(pgm_read_byte(&HEX[byte & 15]));
    }
  }
}

static void introduce() {
  send_text("CONNECTED blip 1\n");
  for (uint8_t i = 0; i < METER_COUNT; i++) {
    send_text("INFO ");
    send_number(i + 1, ' ');
    send_name(METER[i].name);
    send('\n');
  }
}

/* -------------------------------------------------------------------- Program */

void setup() {
  cli();
  UBRR0H = UBRRH_VALUE;
  UBRR0L = UBRRL_VALUE;
#if USE_2X
  UCSR0A = _BV(U2X0);
#else
  UCSR0A = 0;
#endif
  UCSR0B = _BV(TXEN0);
  UCSR0C = _BV(UCSZ01) | _BV(UCSZ00);

  for (uint8_t i = 0; i < METER_COUNT; i++) {
    mask[i] = _BV(pgm_read_byte(&METER[i].input));
    DDRD &= ~mask[i];
    PORTD |= mask[i];
    PCMSK2 |= mask[i];
  }
  /* Timer 1 counts to 250 at a 64th of the clock: 1 ms at 16 MHz. */
  TCCR1A = 0;
  TCCR1B = _BV(WGM12) | _BV(CS11) | _BV(CS10);
  OCR1A = F_CPU / 64 / 1000 - 1;
  TIMSK1 = _BV(OCIE1A);
  PCICR |= _BV(PCIE2);
  /* The pull-ups need some cycles; an input that is low by then is not a blip. */
  for (volatile uint8_t wait = 0; wait < 255; wait++) {
  }
  levels = PIND;
  for (uint8_t i = 0; i < METER_COUNT; i++) meter[i].active = !(levels & mask[i]);
  set_sleep_mode(SLEEP_MODE_IDLE);
  sei();
  introduce();
}

void loop() {
  cli();
  if (queue_tail == queue_head) {
    /* sei takes effect after the instruction that follows: no blip can slip between */
    sleep_enable();
    sei();
    sleep_cpu();
    sleep_disable();
    return;
  }
  const Blip next = queue[queue_tail];
  queue_tail = (queue_tail + 1) % QUEUE_LENGTH;
  sei();
  send_number(next.id, ' ');
  send_number(next.ms, ' ');
  send_number(next.count, '\n');
}

/* The Arduino IDE brings a main of its own. */
#ifndef ARDUINO
int main() {
  setup();
  for (;;) loop();
}
#endif
