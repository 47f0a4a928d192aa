#!/usr/bin/perl
# Parallel::Prefork that keeps COUNT workers running PROGRAM: prefork.pl COUNT PROGRAM [ARGUMENT...]
use strict;
use warnings;
use Parallel::Prefork;

my $count = shift;
my $manager = Parallel::Prefork->new({
    max_workers          => $count,
    err_respawn_interval => 0,
    trap_signals         => {TERM => 'TERM'},
});

while ($manager->signal_received ne 'TERM') {
    $manager->start(sub { exec { $ARGV[0] } @ARGV; exit 127 });
}
$manager->wait_all_children;
