# Runs inside the image while it is made: the user that Ansible comes as, and ssh.
set -eu
chmod 0755 /usr/local/sbin/molecule-init

# Every host makes keys of its own, before sshd starts: without this the two race at boot.
rm -f /etc/ssh/ssh_host_*_key*
mkdir -p /etc/systemd/system/ssh.service.d
cat > /etc/systemd/system/ssh.service.d/10-hostkeys.conf << 'UNIT'
[Service]
ExecStartPre=
ExecStartPre=/usr/bin/ssh-keygen -A
ExecStartPre=/usr/sbin/sshd -t
UNIT

useradd --create-home --shell /bin/bash ansible
install -d -m 0700 -o ansible -g ansible ~ansible/.ssh
echo 'ansible ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/ansible
chmod 0440 /etc/sudoers.d/ansible
