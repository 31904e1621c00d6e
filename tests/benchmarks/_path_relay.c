/*
 * A path between two network cards: it delays packets both ways, limits the rate, holds a bounded queue, and may lose some.
 *
 *   _path_relay LIFETIME_S CARD CARD DELAY_US RATE_BIT_S QUEUE_BYTES LOSS_PER_MILLION
 *
 * DELAY_US is one way; RATE_BIT_S counts Ethernet frames, 0 is no limit; a frame that finds QUEUE_BYTES waiting before
 * the bottleneck is dropped. Random losses are the same ones in every run. It ends after LIFETIME_S, at SIGTERM, or
 * with its parent, and then prints for each direction: frames forwarded, dropped by the queue, lost at random, too
 * large, and those for which there was no slot (the last two must be 0: the cards may not hand over merged segments).
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

struct direction {
    struct slot *slots;
    uint64_t head, tail; /* received, sent */
    int64_t bottleneck_free;
    uint64_t forwarded, queue_drops, losses, oversize, no_slot;
};

static volatile sig_atomic_t ended;
static int64_t delay_ns, rate, queue_bytes, loss_per_million;
static uint64_t chance = 88172645463325252ULL;

static void end(int number) { (void)number; ended = 1; }

static void fail(const char *what) { perror(what); exit(1); }

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static int is_lost(void) {
    chance ^= chance << 13;
    chance ^= chance >> 7;
    chance ^= chance << 17;
    return (int64_t)(chance % 1000000) < loss_per_million;
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
    if (is_lost()) return way->losses++, 0;
    if (rate > 0) {
        if ((start - now) * rate / 8000000000LL + frame_bytes > queue_bytes) return way->queue_drops++, 0;
        start += frame_bytes * 8000000000LL / rate;
        way->bottleneck_free = start;
    }
    slot->due = start + delay_ns;
    return 1;
}

static void receive(int card, struct direction *way) {
    static unsigned char waste[SLOT_BYTES];
    struct mmsghdr messages[BATCH];
    struct iovec parts[BATCH];
    uint64_t room = SLOTS - (way->head - way->tail);
    int count = room < BATCH ? (int)room : BATCH, got, index;
    if (count == 0) {
        if (recv(card, waste, sizeof waste, 0) > 0) way->no_slot++;
        return;
    }
    memset(messages, 0, sizeof messages);
    for (index = 0; index < count; index++) {
        parts[index] = (struct iovec){way->slots[(way->head + index) % SLOTS].frame, SLOT_BYTES};
        messages[index].msg_hdr = (struct msghdr){.msg_iov = &parts[index], .msg_iovlen = 1};
    }
    got = recvmmsg(card, messages, count, MSG_DONTWAIT, NULL);
    int64_t now = now_ns();
    uint64_t kept = way->head;
    for (index = 0; index < got; index++) {
        struct slot *slot = &way->slots[(way->head + index) % SLOTS], *place = &way->slots[kept % SLOTS];
        slot->bytes = messages[index].msg_len;
        if (messages[index].msg_hdr.msg_flags & MSG_TRUNC) way->oversize++;
        else if (enter(way, slot, now)) {
            if (place != slot) *place = *slot;
            kept++;
        }
    }
    if (got > 0) way->head = kept;
}

/* Hand over what has arrived, and say when the next does (INT64_MAX: nothing is on its way). */
static int64_t deliver(int card, struct direction *way, int64_t now) {
    while (way->tail < way->head) {
        struct mmsghdr messages[BATCH];
        struct iovec parts[BATCH];
        int count = 0, sent;
        memset(messages, 0, sizeof messages);
        while (count < BATCH && way->tail + count < way->head) {
            struct slot *slot = &way->slots[(way->tail + count) % SLOTS];
            if (slot->due > now) break;
            parts[count] = (struct iovec){slot->frame, slot->bytes};
            messages[count].msg_hdr = (struct msghdr){.msg_iov = &parts[count], .msg_iovlen = 1};
            count++;
        }
        if (count == 0) return way->slots[way->tail % SLOTS].due;
        sent = sendmmsg(card, messages, count, 0);
        if (sent < 0 && (errno == EAGAIN || errno == ENOBUFS)) return now + GRAIN_NS;
        /* A card that is going away refuses: the frame is gone. */
        way->tail += sent > 0 ? sent : 1;
        way->forwarded += sent > 0 ? sent : 0;
    }
    return INT64_MAX;
}

static void report(const char *name, const struct direction *way) {
    printf("{\"from\": \"%s\", \"forwarded\": %llu, \"queue_drops\": %llu, \"losses\": %llu, \"oversize\": %llu, "
           "\"no_slot\": %llu}\n", name, (unsigned long long)way->forwarded, (unsigned long long)way->queue_drops,
           (unsigned long long)way->losses, (unsigned long long)way->oversize, (unsigned long long)way->no_slot);
}

int main(int argc, char **argv) {
    struct direction ways[2] = {{0}, {0}};
    struct pollfd cards[2];
    int64_t lifetime_end;
    int side;
    if (argc != 8) return fprintf(stderr, "seven arguments; see the source\n"), 2;
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    signal(SIGTERM, end);
    signal(SIGINT, end);
    lifetime_end = now_ns() + atoll(argv[1]) * 1000000000LL;
    delay_ns = atoll(argv[4]) * 1000;
    rate = atoll(argv[5]);
    queue_bytes = atoll(argv[6]);
    loss_per_million = atoll(argv[7]);
    for (side = 0; side < 2; side++) {
        cards[side] = (struct pollfd){.fd = open_card(argv[2 + side]), .events = POLLIN};
        ways[side].slots = calloc(SLOTS, sizeof(struct slot));
        if (ways[side].slots == NULL) fail("memory");
    }
    while (!ended) {
        int64_t now = now_ns(), next = now + 1000000000LL;
        if (now >= lifetime_end) break;
        for (side = 0; side < 2; side++) {
            int64_t due = deliver(cards[!side].fd, &ways[side], now + GRAIN_NS / 2);
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
