/*
 * A path between two network cards: it delays packets both ways, limits the rate, holds a bounded queue, may lose some,
 * and may let others overtake some.
 *
 *   _path_relay LIFETIME_S CARD CARD DELAY_US RATE_BIT_S QUEUE_BYTES LOSS_PER_MILLION [LATE_PER_MILLION LATE_US]
 *
 * DELAY_US is one way; RATE_BIT_S counts Ethernet frames, 0 is no limit; a frame that finds QUEUE_BYTES waiting before
 * the bottleneck is dropped; a late frame comes LATE_US after its time, so that those behind it come first. Random
 * losses are the same ones in every run. It ends after LIFETIME_S, at SIGTERM, or with its parent, and then prints for
 * each direction: frames forwarded, dropped by the queue, lost at random, made late, too large, and those for which
 * there was no slot (the last two must be 0: the cards may not hand over merged segments).
 *
 * Frames pass with the header of virtio (PACKET_VNET_HDR), so that checksums which are still to be made stay so.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SLOTS = 8192, SLOT_BYTES = 9100, BATCH = 64, VNET_HEADER = 10, GRAIN_NS = 100000, SOCKET_BYTES = 16 << 20 };

struct slot {
    int64_t due;
    uint32_t bytes;
    unsigned char frame[SLOT_BYTES];
};

struct queue {
    struct slot *slots;
    uint64_t head, tail; /* received, sent */
};

struct direction {
    struct queue on_time, late;
    int64_t bottleneck_free;
    uint64_t forwarded, queue_drops, losses, made_late, oversize, no_slot;
};

static volatile sig_atomic_t ended;
static int64_t delay_ns, rate, queue_bytes, loss_per_million, late_per_million, late_ns;
static uint64_t chance = 88172645463325252ULL;

static void end(int number) { (void)number; ended = 1; }

static void fail(const char *what) { perror(what); exit(1); }

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static int happens(int64_t per_million) {
    if (per_million == 0) return 0;
    chance ^= chance << 13;
    chance ^= chance >> 7;
    chance ^= chance << 17;
    return (int64_t)(chance % 1000000) < per_million;
}

static int open_card(const char *name) {
    int one = 1, bytes = SOCKET_BYTES, card = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0);
    struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
    address.sll_ifindex = (int)if_nametoindex(name);
    if (card < 0 || address.sll_ifindex == 0) fail(name);
    if (setsockopt(card, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof one)) fail("PACKET_VNET_HDR");
    if (setsockopt(card, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof one)) fail("PACKET_IGNORE_OUTGOING");
    if (setsockopt(card, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes)) fail("SO_RCVBUFFORCE");
    if (setsockopt(card, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes)) fail("SO_SNDBUFFORCE");
    if (bind(card, (struct sockaddr *)&address, sizeof address)) fail("bind");
    return card;
}

/* Whether a frame that has just come gets on, and when it is at the other end. */
static int enter(struct direction *way, struct slot *slot, int64_t now) {
    int64_t start = way->bottleneck_free > now ? way->bottleneck_free : now;
    int64_t frame_bytes = slot->bytes - VNET_HEADER;
    if (happens(loss_per_million)) return way->losses++, 0;
    if (rate > 0) {
        if ((start - now) * rate / 8000000000LL + frame_bytes > queue_bytes) return way->queue_drops++, 0;
        start += frame_bytes * 8000000000LL / rate;
        way->bottleneck_free = start;
    }
    slot->due = start + delay_ns;
    return 1;
}

static uint64_t room(const struct queue *queue) { return SLOTS - (queue->head - queue->tail); }

/* Put a frame that was taken in aside, where it waits longer than those behind it. */
static int set_late(struct direction *way, const struct slot *slot) {
    if (!happens(late_per_million)) return 0;
    if (room(&way->late) == 0) return way->no_slot++, 1;
    struct slot *place = &way->late.slots[way->late.head++ % SLOTS];
    *place = *slot;
    place->due += late_ns;
    return way->made_late++, 1;
}

static void receive(int card, struct direction *way) {
    static unsigned char waste[SLOT_BYTES];
    struct mmsghdr messages[BATCH];
    struct iovec parts[BATCH];
    struct queue *queue = &way->on_time;
    int count = room(queue) < BATCH ? (int)room(queue) : BATCH, got, index;
    if (count == 0) {
        if (recv(card, waste, sizeof waste, 0) > 0) way->no_slot++;
        return;
    }
    memset(messages, 0, sizeof messages);
    for (index = 0; index < count; index++) {
        parts[index] = (struct iovec){queue->slots[(queue->head + index) % SLOTS].frame, SLOT_BYTES};
        messages[index].msg_hdr = (struct msghdr){.msg_iov = &parts[index], .msg_iovlen = 1};
    }
    got = recvmmsg(card, messages, count, MSG_DONTWAIT, NULL);
    int64_t now = now_ns();
    uint64_t kept = queue->head;
    for (index = 0; index < got; index++) {
        struct slot *slot = &queue->slots[(queue->head + index) % SLOTS], *place = &queue->slots[kept % SLOTS];
        slot->bytes = messages[index].msg_len;
        if (messages[index].msg_hdr.msg_flags & MSG_TRUNC) way->oversize++;
        else if (enter(way, slot, now) && !set_late(way, slot)) {
            if (place != slot) *place = *slot;
            kept++;
        }
    }
    if (got > 0) queue->head = kept;
}

/* Hand over what has arrived, and say when the next does (INT64_MAX: nothing is on its way). */
static int64_t deliver(int card, struct direction *way, struct queue *queue, int64_t now) {
    while (queue->tail < queue->head) {
        struct mmsghdr messages[BATCH];
        struct iovec parts[BATCH];
        int count = 0, sent;
        memset(messages, 0, sizeof messages);
        while (count < BATCH && queue->tail + count < queue->head) {
            struct slot *slot = &queue->slots[(queue->tail + count) % SLOTS];
            if (slot->due > now) break;
            parts[count] = (struct iovec){slot->frame, slot->bytes};
            messages[count].msg_hdr = (struct msghdr){.msg_iov = &parts[count], .msg_iovlen = 1};
            count++;
        }
        if (count == 0) return queue->slots[queue->tail % SLOTS].due;
        sent = sendmmsg(card, messages, count, 0);
        if (sent < 0 && (errno == EAGAIN || errno == ENOBUFS)) return now + GRAIN_NS;
        /* A card that is going away refuses: the frame is gone. */
        queue->tail += sent > 0 ? sent : 1;
        way->forwarded += sent > 0 ? sent : 0;
    }
    return INT64_MAX;
}

static int64_t deliver_both(int card, struct direction *way, int64_t now) {
    int64_t on_time = deliver(card, way, &way->on_time, now), late = deliver(card, way, &way->late, now);
    return on_time < late ? on_time : late;
}

static struct slot *make_slots(void) {
    struct slot *slots = calloc(SLOTS, sizeof(struct slot));
    if (slots == NULL) fail("memory");
    return slots;
}

static void report(const char *name, const struct direction *way) {
    printf("{\"from\": \"%s\", \"forwarded\": %llu, \"queue_drops\": %llu, \"losses\": %llu, \"late\": %llu, "
           "\"oversize\": %llu, \"no_slot\": %llu}\n", name, (unsigned long long)way->forwarded,
           (unsigned long long)way->queue_drops, (unsigned long long)way->losses, (unsigned long long)way->made_late,
           (unsigned long long)way->oversize, (unsigned long long)way->no_slot);
}

int main(int argc, char **argv) {
    static struct direction ways[2];
    struct pollfd cards[2];
    int64_t lifetime_end;
    int side;
    if (argc != 8 && argc != 10) return fprintf(stderr, "seven or nine arguments; see the source\n"), 2;
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    signal(SIGTERM, end);
    signal(SIGINT, end);
    lifetime_end = now_ns() + atoll(argv[1]) * 1000000000LL;
    delay_ns = atoll(argv[4]) * 1000;
    rate = atoll(argv[5]);
    queue_bytes = atoll(argv[6]);
    loss_per_million = atoll(argv[7]);
    if (argc == 10) {
        late_per_million = atoll(argv[8]);
        late_ns = atoll(argv[9]) * 1000;
    }
    for (side = 0; side < 2; side++) {
        cards[side] = (struct pollfd){.fd = open_card(argv[2 + side]), .events = POLLIN};
        ways[side].on_time.slots = make_slots();
        ways[side].late.slots = make_slots();
    }
    while (!ended) {
        int64_t now = now_ns(), next = now + 1000000000LL;
        if (now >= lifetime_end) break;
        for (side = 0; side < 2; side++) {
            int64_t due = deliver_both(cards[!side].fd, &ways[side], now + GRAIN_NS / 2);
            if (due < next) next = due;
        }
        int64_t rest = next - now_ns();
        struct timespec wait = {rest > 0 ? rest / 1000000000LL : 0, rest > 0 ? rest % 1000000000LL : 0};
        if (ppoll(cards, 2, &wait, NULL) > 0)
            for (side = 0; side < 2; side++)
                if (cards[side].revents) receive(cards[side].fd, &ways[side]);
    }
    for (side = 0; side < 2; side++) report(argv[2 + side], &ways[side]);
    return 0;
}
