# What worker.pl does, by name.
(
    reverse => sub { scalar reverse $_[0]->arg },
    sleep   => sub { select undef, undef, undef, $_[0]->arg; 'slept' },
    # "ID SECONDS FILE": tells in FILE when it begins and when it has ended
    record => sub {
        my ($id, $seconds, $file) = split ' ', $_[0]->arg;
        open my $out, '>>', $file or die "$file: $!";
        syswrite $out, "begin $id $$\n";
        select undef, undef, undef, $seconds;
        syswrite $out, "end $id $$\n";
        "done: $id";
    },
);
