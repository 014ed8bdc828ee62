/*
 * One SCTP association over UDP by usrsctp, for scripts.
 *
 *   usrsctp-peer connect UDP PORT ADDRESS REMOTE_UDP REMOTE_PORT
 *   usrsctp-peer listen  UDP PORT ADDRESS
 *
 * UDP is this peer's UDP port, PORT its SCTP port, ADDRESS the one it connects to or listens on. Standard input:
 * lines "STREAM PPID HEX" are sent as messages, "shutdown" ends the association gracefully. Standard output: "up",
 * "got STREAM PPID HEX" for each message, "down" for the end of the association, "lost" for any other end.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <usrsctp.h>

static void die(const char *what) {
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(1);
}

static struct sockaddr_in address(const char *ip, const char *port) {
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };
    if (inet_pton(AF_INET, ip, &a.sin_addr) != 1) die(ip);
    return a;
}

/* Reads whole messages until the association ends. */
static void *read_messages(void *arg) {
    struct socket *s = arg;
    static unsigned char message[1 << 20];
    size_t have = 0;
    for (;;) {
        struct sctp_rcvinfo info;
        struct sockaddr_storage from;
        socklen_t fromlen = sizeof from, infolen = sizeof info;
        unsigned int type = 0;
        int flags = 0;
        memset(&info, 0, sizeof info);
        ssize_t n = usrsctp_recvv(s, message + have, sizeof message - have, (struct sockaddr *)&from, &fromlen,
                                  &info, &infolen, &type, &flags);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            printf(n == 0 ? "down\n" : "lost\n");
            fflush(stdout);
            _exit(0);
        }
        have += (size_t)n;
        if (!(flags & MSG_EOR)) continue;
        printf("got %u %u ", info.rcv_sid, ntohl(info.rcv_ppid));
        for (size_t i = 0; i < have; i++) printf("%02x", message[i]);
        printf("\n");
        fflush(stdout);
        have = 0;
    }
}

static void send_message(struct socket *s, unsigned stream, unsigned ppid, const char *hex) {
    static unsigned char message[1 << 20];
    size_t length = strlen(hex) / 2;
    for (size_t i = 0; i < length; i++) {
        unsigned octet;
        if (sscanf(hex + 2 * i, "%2x", &octet) != 1) die("hex");
        message[i] = (unsigned char)octet;
    }
    struct sctp_sndinfo info = { .snd_sid = (uint16_t)stream, .snd_ppid = htonl(ppid) };
    if (usrsctp_sendv(s, message, length, NULL, 0, &info, sizeof info, SCTP_SENDV_SNDINFO, 0) < 0)
        fprintf(stderr, "send: %s\n", strerror(errno));
}

int main(int argc, char **argv) {
    if (argc < 5) {
        fprintf(stderr, "see the head of the source\n");
        return 64;
    }
    int client = strcmp(argv[1], "connect") == 0;
    usrsctp_init((uint16_t)atoi(argv[2]), NULL, NULL);
    usrsctp_sysctl_set_sctp_blackhole(2);
    struct socket *s = usrsctp_socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP, NULL, NULL, 0, NULL);
    if (!s) die("socket");
    struct sctp_initmsg init = { .sinit_num_ostreams = 8, .sinit_max_instreams = 8 };
    usrsctp_setsockopt(s, IPPROTO_SCTP, SCTP_INITMSG, &init, sizeof init);
    int on = 1;
    usrsctp_setsockopt(s, IPPROTO_SCTP, SCTP_RECVRCVINFO, &on, sizeof on);
    usrsctp_setsockopt(s, IPPROTO_SCTP, SCTP_NODELAY, &on, sizeof on);
    /* A client shows all its addresses, as stacks do by default; a server has the one that is known. */
    struct sockaddr_in own = address(client ? "0.0.0.0" : argv[4], argv[3]);
    if (usrsctp_bind(s, (struct sockaddr *)&own, sizeof own) < 0) die("bind");
    if (client) {
        if (argc < 7) return 64;
        struct sctp_udpencaps encaps = { .sue_address.ss_family = AF_INET,
                                         .sue_port = htons((uint16_t)atoi(argv[5])) };
        if (usrsctp_setsockopt(s, IPPROTO_SCTP, SCTP_REMOTE_UDP_ENCAPS_PORT, &encaps, sizeof encaps) < 0)
            die("encapsulation");
        struct sockaddr_in peer = address(argv[4], argv[6]);
        if (usrsctp_connect(s, (struct sockaddr *)&peer, sizeof peer) < 0) die("connect");
    } else {
        if (usrsctp_listen(s, 1) < 0) die("listen");
        printf("listening\n");
        fflush(stdout);
        struct socket *accepted = usrsctp_accept(s, NULL, NULL);
        if (!accepted) die("accept");
        s = accepted;
        usrsctp_setsockopt(s, IPPROTO_SCTP, SCTP_RECVRCVINFO, &on, sizeof on);
    }
    printf("up\n");
    fflush(stdout);
    pthread_t reader;
    if (pthread_create(&reader, NULL, read_messages, s) != 0) die("thread");
    char *line = NULL;
    size_t size = 0;
    while (getline(&line, &size, stdin) > 0) {
        char *hex = strrchr(line, ' ');
        unsigned stream, ppid;
        line[strcspn(line, "\n")] = 0;
        if (strcmp(line, "shutdown") == 0) usrsctp_shutdown(s, SHUT_WR);
        else if (hex && sscanf(line, "%u %u", &stream, &ppid) == 2) send_message(s, stream, ppid, hex + 1);
    }
    pthread_join(reader, NULL);
    return 0;
}
