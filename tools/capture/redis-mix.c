/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * redis-mix PORT THREADS CONNECTIONS REQUESTS GETS SETS [BGSAVE-EVERY]: a client in the manner of
 * memtier_benchmark, which Debian does not have. Each connection has one request under way; of every
 * GETS+SETS requests the first GETS are GETs and the others SETs, of keys drawn from 10,000, with
 * values of 512 bytes. REQUESTS is the total. Every BGSAVE-EVERY requests of the first thread, one
 * is a BGSAVE. Every 100 requests are counted by a mark (see workload.c).
 */
enum { KEYS = 10000, VALUE = 512, MARK_EVERY = 100, MARK_OPTION = 0x44564d53, MOST = 256 };

static int port, threads, connections, gets, sets, bgsave_every;
static long requests;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void mark(unsigned long amount)
{
	static const char name[16] = "requests";
	unsigned long word[2];

	memcpy(word, name, sizeof(word));
	prctl(MARK_OPTION, amount, word[0], word[1], 0);
}

static int dial(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((unsigned short)port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)))
		die("connect");
	return fd;
}

static void put(int fd, const char *text, size_t n)
{
	if (write(fd, text, n) != (ssize_t)n)
		die("write");
}

static void ask(int fd, long number, unsigned long *random, int thread)
{
	char text[VALUE + 128], value[VALUE + 1];
	int n, key;

	*random = *random * 6364136223846793005ul + 1442695040888963407ul;
	key = (int)((*random >> 33) % KEYS);
	if (bgsave_every && !thread && number % bgsave_every == bgsave_every - 1) {
		n = snprintf(text, sizeof(text), "*1\r\n$6\r\nBGSAVE\r\n");
	} else if (number % (gets + sets) < gets) {
		n = snprintf(text, sizeof(text), "*2\r\n$3\r\nGET\r\n$9\r\nkey:%05d\r\n", key);
	} else {
		memset(value, 'a' + key % 26, VALUE);
		value[VALUE] = '\0';
		n = snprintf(text, sizeof(text), "*3\r\n$3\r\nSET\r\n$9\r\nkey:%05d\r\n$%d\r\n%s\r\n", key,
			     VALUE, value);
	}
	put(fd, text, (size_t)n);
}

/* Whether the reply ends here: a line, or a line that announces a text and the text. */
static int complete(const char *reply, size_t n)
{
	const char *line = memchr(reply, '\n', n);
	long length;

	if (!line)
		return 0;
	if (reply[0] != '$')
		return 1;
	length = atol(reply + 1);
	return length < 0 || n >= (size_t)(line + 1 - reply) + (size_t)length + 2;
}

static void *client(void *arg)
{
	int thread = (int)(size_t)arg, n = connections / threads;
	struct pollfd fds[MOST];
	struct { char text[VALUE + 64]; size_t n; } *replies = calloc((size_t)n, sizeof(*replies));
	long sent = 0, done = 0, mine = requests / threads;
	unsigned long random = (unsigned long)thread + 1;

	if (!replies || n > MOST)
		die("redis-mix");
	for (int i = 0; i < n; i++)
		fds[i] = (struct pollfd){ dial(), POLLIN, 0 };
	for (int i = 0; i < n && sent < mine; i++)
		ask(fds[i].fd, sent++, &random, thread);
	while (done < mine && poll(fds, (nfds_t)n, -1) > 0)
		for (int i = 0; i < n; i++) {
			ssize_t got;

			if (!(fds[i].revents & POLLIN))
				continue;
			got = read(fds[i].fd, replies[i].text + replies[i].n,
				   sizeof(replies[i].text) - replies[i].n);
			if (got <= 0)
				die("read");
			replies[i].n += (size_t)got;
			if (!complete(replies[i].text, replies[i].n))
				continue;
			replies[i].n = 0;
			if (++done % MARK_EVERY == 0)
				mark(MARK_EVERY);
			if (sent < mine)
				ask(fds[i].fd, sent++, &random, thread);
		}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t id[64];

	if (argc < 7)
		return 2;
	port = atoi(argv[1]);
	threads = atoi(argv[2]);
	connections = atoi(argv[3]);
	requests = atol(argv[4]);
	gets = atoi(argv[5]);
	sets = atoi(argv[6]);
	bgsave_every = argc > 7 ? atoi(argv[7]) : 0;
	if (threads < 1 || threads > 64 || connections < threads || gets + sets < 1)
		return 2;
	for (int i = 0; i < threads; i++)
		if (pthread_create(&id[i], NULL, client, (void *)(size_t)i))
			return 1;
	for (int i = 0; i < threads; i++)
		pthread_join(id[i], NULL);
	return 0;
}
